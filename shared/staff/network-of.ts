// Whom an address stands for when attempts are counted. At IPv6 anybody has 2^64 addresses of their own, which count as
// one.

const groupsOfNetwork = 4;
const groups = 8;

/** An IPv4 address as it is, the first half of an IPv6 address, and of one that stands for IPv4, that. */
export function networkOf(address: string): string {
  const lower = address.toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(lower)?.[1];
  if (mapped !== undefined) return mapped;
  if (!lower.includes(':')) return lower;
  const [head = '', tail] = lower.split('::');
  const before = head.split(':').filter(Boolean);
  const after = tail === undefined ? [] : tail.split(':').filter(Boolean);
  const zeros = tail === undefined ? [] : Array(Math.max(groups - before.length - after.length, 0)).fill('0');
  const network = [...before, ...zeros, ...after].slice(0, groupsOfNetwork);
  return `${network.map((group) => group.replace(/^0+(?=.)/, '')).join(':')}::/64`;
}
