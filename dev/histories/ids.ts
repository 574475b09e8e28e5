// Ids that look like random UUIDs and follow from (seed, customer, number): no two are alike within a seed, and none has to
// be remembered.

/** The finaliser of MurmurHash3: every 32-bit word has its own result. */
export function scramble(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

const bytes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const hex = (word: number): string =>
  bytes[word >>> 24]! + bytes[(word >>> 16) & 255] + bytes[(word >>> 8) & 255] + bytes[word & 255];

/** The maker of one customer's ids. The first and the last word alone tell (customer, number) apart. */
export function idsOf(seed: number, customer: number): (number: number) => string {
  const ofSeed = scramble(seed + 1);
  const ofCustomer = scramble(customer ^ ofSeed);
  const last = hex(ofCustomer);
  return (number) => {
    const first = scramble(number ^ scramble(ofCustomer ^ 0x5bd1e995));
    const second = scramble(first ^ ofSeed);
    const third = scramble(second ^ ofCustomer);
    const [middle, other] = [hex(second), hex(third)];
    const variant = '89ab'[third & 3];
    return `${hex(first)}-${middle.slice(0, 4)}-4${middle.slice(4, 7)}-${variant}${other.slice(0, 3)}-${other.slice(3, 7)}${last}`;
  };
}
