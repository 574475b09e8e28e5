// The setting SIGN_IN_KEYS: `<name>:<base64 of 32 bytes>`, with commas between several. The first encrypts the secrets of
// second factors and what browsers take along to a provider, and hides what people type; all decrypt. Each use has a key
// of its own, derived from them.

import * as z from 'zod/mini';
import { base64, fromBase64 } from '../../shared/staff/base64.ts';

const keyPattern = /^([\w-]{1,32}):([A-Za-z0-9+/]{43}=)$/;

interface NamedKey {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

function parse(text: string): NamedKey[] | undefined {
  const keys = text.split(',').flatMap((part) => {
    const [, name, bytes] = keyPattern.exec(part.trim()) ?? [];
    return name && bytes ? [{ name, bytes: fromBase64(bytes) }] : [];
  });
  const isWhole =
    keys.length === text.split(',').length && new Set(keys.map(({ name }) => name)).size === keys.length;
  return isWhole ? keys : undefined;
}

export const signInKeysSetting = z.pipe(
  z
    .string('is missing: keys of sign-in, <name>:<base64 of 32 bytes>,...')
    .check(
      z.refine(
        (text) => parse(text) !== undefined,
        'expected <name>:<base64 of 32 bytes>, with commas between several and each name once',
      ),
    ),
  z.transform((text) => openSignInKeys(parse(text) ?? [])),
);

const encoder = new TextEncoder();

const algorithms = {
  attempts: [{ name: 'HMAC', hash: 'SHA-256', length: 256 }, ['sign']],
  'second factor': [{ name: 'AES-GCM', length: 256 }, ['encrypt', 'decrypt']],
  'sign-in elsewhere': [{ name: 'AES-GCM', length: 256 }, ['encrypt', 'decrypt']],
} as const;

async function derive(key: NamedKey, use: keyof typeof algorithms) {
  const [algorithm, usages] = algorithms[use];
  const source = await crypto.subtle.importKey('raw', key.bytes, 'HKDF', false, ['deriveKey']);
  const from = {
    name: 'HKDF',
    hash: 'SHA-256',
    salt: new Uint8Array(),
    info: encoder.encode(`recoup ${use}`),
  };
  return crypto.subtle.deriveKey(from, source, algorithm, false, usages);
}

const ivBytes = 12;

function openSignInKeys(keys: readonly NamedKey[]) {
  const [first] = keys;
  if (!first) throw new Error('there is no key for sign-in');
  let hashing: Awaited<ReturnType<typeof derive>> | undefined;
  return {
    /** Stands for a text without telling it; hex. */
    async hash(text: string): Promise<string> {
      hashing ??= await derive(first, 'attempts');
      const mac = await crypto.subtle.sign('HMAC', hashing, encoder.encode(text));
      return Array.from(new Uint8Array(mac), (byte) => byte.toString(16).padStart(2, '0')).join('');
    },
    ...sealing(keys, first, 'second factor'),
    journeys: sealing(keys, first, 'sign-in elsewhere'),
  };
}

function sealing(
  keys: readonly NamedKey[],
  first: NamedKey,
  use: Exclude<keyof typeof algorithms, 'attempts'>,
) {
  return {
    /** `<key's name>:<iv and ciphertext>`; good for this owner alone. */
    async encrypt(text: string, owner: string): Promise<string> {
      const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
      const sealed = await crypto.subtle.encrypt(
        { name: 'AES-GCM', iv, additionalData: encoder.encode(owner) },
        await derive(first, use),
        encoder.encode(text),
      );
      return `${first.name}:${base64(new Uint8Array([...iv, ...new Uint8Array(sealed)]))}`;
    },
    /** Throws for what was encrypted under a key that is not there any more, or for somebody else. */
    async decrypt(sealed: string, owner: string): Promise<string> {
      const [name, text = ''] = sealed.split(':');
      const key = keys.find((each) => each.name === name);
      if (!key) throw new Error(`the key ${name} is not among SIGN_IN_KEYS`);
      const bytes = fromBase64(text);
      const opened = await crypto.subtle.decrypt(
        { name: 'AES-GCM', iv: bytes.slice(0, ivBytes), additionalData: encoder.encode(owner) },
        await derive(key, use),
        bytes.slice(ivBytes),
      );
      return new TextDecoder().decode(opened);
    },
  };
}

/** A new one, to be put in front. */
export const newSignInKey = (name: string): string =>
  `${name}:${btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))}`;
