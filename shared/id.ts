// Ids that follow from an identity (UUIDv5, RFC 9562) so that every way in arrives at the same one, and the hash
// that stands for a set of facts.

import { parse, v5 } from 'uuid';

const encoder = new TextEncoder();
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** The UUID of `name` within the namespace `space` (itself a UUID). Same input, same id, on every runtime. */
export function uuidOf(space: string, name: string): string {
  const bytes = spaces.get(space) ?? parse(space);
  spaces.set(space, bytes);
  return v5(encoder.encode(name), bytes);
}

/** There are a handful of them, and reading one takes longer than hashing with it. */
const spaces = new Map<string, Uint8Array>();

/** SHA-256 as lower-case hex. */
export async function sha256(text: string): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text))));
}

export const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
