// Ids that follow from an identity (UUIDv5, RFC 9562) so that every way in arrives at the same one, and the hash
// that stands for a set of facts.

const encoder = new TextEncoder();
const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => hexOfByte[byte]).join('');
const hex8 = (n: number) =>
  `${hexOfByte[n >>> 24]}${hexOfByte[(n >>> 16) & 255]}${hexOfByte[(n >>> 8) & 255]}${hexOfByte[n & 255]}`;

const spaces = new Map<string, number[]>();
function bytesOfSpace(space: string): number[] {
  let bytes = spaces.get(space);
  if (!bytes) {
    bytes = Array.from(space.replaceAll('-', '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
    // Spaces are constants of ours; this is for a caller who makes one up for every call.
    if (spaces.size === 100) spaces.clear();
    spaces.set(space, bytes);
  }
  return bytes;
}

/**
 * The UUID of `name` within the namespace `space` (itself a UUID). Same input, same id, on every runtime. Not by
 * crypto.subtle, whose call and promise cost ten times the hash: a batch of a thousand payments needs two thousand.
 */
export function uuidOf(space: string, name: string): string {
  const [a, b, c, d] = sha1(bytesOfSpace(space), name);
  const second = hex8((b & 0xffff0fff) | 0x5000);
  const third = hex8((c & 0x3fffffff) | 0x80000000);
  return `${hex8(a)}-${second.slice(0, 4)}-${second.slice(4)}-${third.slice(0, 4)}-${third.slice(4)}${hex8(d)}`;
}

const schedule = new Int32Array(80);
const word = (i: number) => schedule[i] as number;
let bytes = new Uint8Array(1024);
let view = new DataView(bytes.buffer);

/** The first 128 bits of SHA-1 (FIPS 180-4) of `head` and the UTF-8 of `text`. It names things; it protects nothing. */
function sha1(head: readonly number[], text: string): [number, number, number, number] {
  // A UTF-16 unit has at most three bytes in UTF-8; then 0x80, padding, and the length in eight.
  const most = head.length + text.length * 3 + 9 + 63;
  if (bytes.length < most) {
    bytes = new Uint8Array(most);
    view = new DataView(bytes.buffer);
  }
  bytes.set(head);
  const length = head.length + encoder.encodeInto(text, bytes.subarray(head.length)).written;
  const padded = (length + 9 + 63) & ~63;
  bytes.fill(0, length, padded);
  bytes[length] = 0x80;
  view.setUint32(padded - 8, Math.floor(length / 0x20000000));
  view.setUint32(padded - 4, length << 3);

  let [h0, h1, h2, h3, h4] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
  for (let at = 0; at < padded; at += 64) {
    for (let i = 0; i < 16; i++) schedule[i] = view.getInt32(at + i * 4);
    for (let i = 16; i < 80; i++) {
      const x = word(i - 3) ^ word(i - 8) ^ word(i - 14) ^ word(i - 16);
      schedule[i] = (x << 1) | (x >>> 31);
    }
    let [a, b, c, d, e] = [h0, h1, h2, h3, h4];
    for (let i = 0; i < 80; i++) {
      let mixed: number;
      if (i < 20) mixed = ((b & c) | (~b & d)) + 0x5a827999;
      else if (i < 40) mixed = (b ^ c ^ d) + 0x6ed9eba1;
      else if (i < 60) mixed = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
      else mixed = (b ^ c ^ d) + 0xca62c1d6;
      const next = (((a << 5) | (a >>> 27)) + mixed + e + word(i)) | 0;
      e = d;
      d = c;
      c = (b << 30) | (b >>> 2);
      b = a;
      a = next;
    }
    h0 = (h0 + a) | 0;
    h1 = (h1 + b) | 0;
    h2 = (h2 + c) | 0;
    h3 = (h3 + d) | 0;
    h4 = (h4 + e) | 0;
  }
  return [h0, h1, h2, h3];
}

/** SHA-256 as lower-case hex. */
export async function sha256(text: string): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text))));
}

export const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
