// The keys of access tokens: a JWK set whose first key signs and all of which verify. A key is rotated by putting a new
// one in front and taking the old one away once its last token has expired.

import { calculateJwkThumbprint, createLocalJWKSet, importJWK, type JWK, SignJWT } from 'jose';
import * as z from 'zod/mini';
import { tokenAlgorithm, tokenAudience, tokenIssuer, tokenType } from '../access-token.ts';

export const accessTokenSeconds = 600;

const coordinate = z.string().check(z.regex(/^[\w-]{43}$/));
const keySet = z.object({
  keys: z
    .array(
      z.object({
        kty: z.literal('EC'),
        crv: z.literal('P-256'),
        kid: z.string().check(z.minLength(1)),
        x: coordinate,
        y: coordinate,
        d: coordinate,
      }),
    )
    .check(z.minLength(1), z.maxLength(10)),
});

const parse = (text: string) => {
  try {
    const parsed = keySet.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data.keys : undefined;
  } catch {
    return undefined;
  }
};

/** As a setting; what is at fault is never told, it is secret. */
export const tokenKeysSetting = z.pipe(
  z
    .string('is missing: the keys of access tokens (npm run token-keys makes them)')
    .check(
      z.refine(
        (text) => parse(text) !== undefined,
        'expected a JWK set of P-256 keys with kid and d, as npm run token-keys prints it',
      ),
    ),
  z.transform((text) => openTokenKeys(parse(text) ?? [])),
);

function openTokenKeys(keys: Array<{ kid: string } & JWK>) {
  const published = keys.map(({ d: _, ...key }) => ({ ...key, use: 'sig', alg: tokenAlgorithm }));
  const [first] = keys;
  return {
    /** What /.well-known/jwks.json answers. */
    published: { keys: published },
    verify: createLocalJWKSet({ keys: published }),
    /** A token for a session (`sid`) or a service's key (`key`), good for `accessTokenSeconds`. */
    async sign(subject: string, claims: { sid: string } | { key: string }, scope?: string): Promise<string> {
      if (!first) throw new Error('there is no key to sign with');
      return new SignJWT({ ...claims, ...(scope === undefined ? {} : { scope }), jti: crypto.randomUUID() })
        .setProtectedHeader({ alg: tokenAlgorithm, typ: tokenType, kid: first.kid })
        .setIssuer(tokenIssuer)
        .setAudience(tokenAudience)
        .setSubject(subject)
        .setIssuedAt()
        .setExpirationTime(`${accessTokenSeconds} s`)
        .sign(await importJWK(first, tokenAlgorithm));
    },
  };
}

/** A new key, as JSON of a set. With those of before it goes in front of them. */
export async function newTokenKeys(before?: string): Promise<string> {
  const { privateKey } = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ]);
  const { kty, crv, x, y, d } = await crypto.subtle.exportKey('jwk', privateKey);
  const key = { kty, crv, x, y, d } as JWK;
  const kid = (await calculateJwkThumbprint(key)).slice(0, 16);
  return JSON.stringify({ keys: [{ ...key, kid }, ...((before && parse(before)) || [])] });
}
