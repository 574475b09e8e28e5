// shared/id.ts's uuidOf with Node's one-shot hash: the same ids in a third of the time, which counts where every event
// has one or two.

import { hash } from 'node:crypto';
import { parse } from 'uuid';

const spaceBytes = 16;
const spaces = new Map<string, Uint8Array>();
let named = Buffer.allocUnsafeSlow(1 << 16);

/** UUIDv5 (RFC 9562): of the namespace and the name, version and variant aside. */
export function nameUuid(space: string, name: string): string {
  const bytes = spaces.get(space) ?? parse(space);
  spaces.set(space, bytes);
  if (named.length < spaceBytes + 3 * name.length)
    named = Buffer.allocUnsafeSlow(2 * (spaceBytes + 3 * name.length));
  named.set(bytes);
  const length = spaceBytes + named.write(name, spaceBytes);
  const hex = hash('sha1', named.subarray(0, length), 'hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
