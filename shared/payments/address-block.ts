// Blocks of IP addresses in CIDR notation, for a channel's allow-list. An IPv4 address written as IPv6
// (::ffff:192.0.2.1) is the IPv4 address.

interface Address {
  bits: 32 | 128;
  value: bigint;
}

function parseAddress(text: string): Address | undefined {
  const octets = /^(?:::ffff:)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/i.exec(text)?.slice(1).map(Number);
  if (octets) {
    if (octets.some((octet) => octet > 255)) return undefined;
    return { bits: 32, value: octets.reduce((value, octet) => value * 256n + BigInt(octet), 0n) };
  }
  const halves = text.split('::');
  const groupsOf = (half: string | undefined) => (half ? half.split(':') : []);
  const head = groupsOf(halves[0]);
  const tail = groupsOf(halves[1]);
  const missing = 8 - head.length - tail.length;
  if (halves.length > 2 || (halves.length === 2 ? missing < 1 : missing !== 0)) return undefined;
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return { bits: 128, value: groups.reduce((value, group) => value * 65_536n + BigInt(`0x${group}`), 0n) };
}

/** True for an address or a block that can be matched. */
export const isAddressBlock = (block: string): boolean => parseBlock(block) !== undefined;

function parseBlock(block: string): (Address & { prefix: number }) | undefined {
  const [text = '', length, ...rest] = block.split('/');
  const address = parseAddress(text);
  const prefix = length === undefined ? address?.bits : /^\d{1,3}$/.test(length) ? Number(length) : undefined;
  if (!address || prefix === undefined || prefix > address.bits || rest.length > 0) return undefined;
  return { ...address, prefix };
}

/** True when `address` lies in the block. Text that is no address lies in none. */
export function isWithin(address: string, block: string): boolean {
  const given = parseAddress(address);
  const outer = parseBlock(block);
  if (!given || !outer || given.bits !== outer.bits) return false;
  const hostBits = BigInt(outer.bits - outer.prefix);
  return given.value >> hostBits === outer.value >> hostBits;
}
