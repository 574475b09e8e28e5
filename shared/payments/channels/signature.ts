// What every signature scheme shares: the request as received, why it is refused, and a comparison in constant time
// (crypto.subtle.verify; the runtime's own).

import type { Result } from '../../result.ts';

export interface SignedRequest {
  header(name: string): string | undefined;
  /** The body's bytes exactly as they arrived. */
  body: Uint8Array<ArrayBuffer>;
}

export type SignatureRefusal = 'no_secret' | 'missing_header' | 'malformed_header' | 'expired' | 'mismatch';
/** The part of the body that is signed, and how many others are not, where the provider signs in parts. */
export interface SignedPart {
  body: Uint8Array<ArrayBuffer>;
  unsigned: number;
}
/** Without a part all of the body is signed. */
export type Verified = Result<SignedPart | undefined, SignatureRefusal>;

const toleranceSeconds = 300;
const encoder = new TextEncoder();

/** Unix seconds as the schemes write them, within 300 s of now on either side. */
export function timestampFault(text: string, now: Date): 'malformed_header' | 'expired' | undefined {
  if (!/^\d{1,12}$/.test(text)) return 'malformed_header';
  return Math.abs(now.getTime() / 1000 - Number(text)) > toleranceSeconds ? 'expired' : undefined;
}

/** `<prefix><body>`, the prefix as UTF-8. */
export function signedContent(prefix: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = encoder.encode(prefix);
  const content = new Uint8Array(head.length + body.length);
  content.set(head);
  content.set(body, head.length);
  return content;
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

export function fromHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^(?:[0-9a-fA-F]{2})+$/.test(text)) return undefined;
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

type HmacKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

// Importing a key costs as much as verifying with it; a deployment has few secrets, so they all fit.
const keys = new Map<string, Promise<HmacKey>>();

function hmacKey(hash: string, secret: Uint8Array<ArrayBuffer>): Promise<HmacKey> {
  const id = `${hash}:${secret.join()}`;
  let key = keys.get(id);
  if (!key) {
    key = crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash }, false, ['verify']);
    keys.set(id, key);
  }
  return key;
}

/** True when any of the signatures is the HMAC of the content under any of the secrets. */
export async function hmacMatches(
  hash: 'SHA-256' | 'SHA-384' | 'SHA-512',
  secrets: readonly Uint8Array<ArrayBuffer>[],
  signatures: readonly Uint8Array<ArrayBuffer>[],
  content: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  for (const secret of secrets) {
    const key = await hmacKey(hash, secret);
    for (const signature of signatures) {
      if (await crypto.subtle.verify('HMAC', key, signature, content)) return true;
    }
  }
  return false;
}

export const secretBytes = (secret: string): Uint8Array<ArrayBuffer> => encoder.encode(secret);

export const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

export const base64Of = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
