// How a password is kept: scrypt's output, with the salt and the cost it was made with in one text, so that the cost can
// be raised and old hashes still tell. Who computes scrypt is the room's to say.

import { base64, fromBase64 } from './base64.ts';

export interface ScryptCost {
  /** Binary logarithm of N. */
  logN: number;
  r: number;
  p: number;
}

/** 32 bytes out of password and salt. Throws BusyFault when it has too much to do. */
export type Scrypt = (password: Uint8Array, salt: Uint8Array, cost: ScryptCost) => Promise<Uint8Array>;

/** There is more to hash than can be done in time; the same may succeed a moment later. */
export class BusyFault extends Error {
  override readonly name = 'BusyFault';
}

/** One of OWASP's equivalent settings, the one with the least memory that is no weaker: 16 MiB. */
export const scryptCost: ScryptCost = { logN: 14, r: 8, p: 5 };

const pattern = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/;
/** A hash from elsewhere cannot make us compute for minutes. */
const mostMemoryBytes = 64 * 1024 * 1024;

/** The same text typed on another keyboard is the same password. */
export const normalisedPassword = (password: string): string => password.normalize('NFKC');

const bytesOf = (password: string) => new TextEncoder().encode(normalisedPassword(password));

export async function hashPassword(scrypt: Scrypt, password: string): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const hash = await scrypt(bytesOf(password), salt, scryptCost);
  const { logN, r, p } = scryptCost;
  return `$scrypt$ln=${logN},r=${r},p=${p}$${base64(salt)}$${base64(hash)}`;
}

/**
 * Whether it is the password behind `text`. Without a text, or with one that is no hash, it takes as long and is wrong:
 * how long an answer takes tells nobody whether there is such a person.
 */
export async function verifyPassword(
  scrypt: Scrypt,
  password: string,
  text: string | null,
): Promise<{ right: boolean; outdated: boolean }> {
  const kept = text === null ? undefined : parse(text);
  const hash = await scrypt(bytesOf(password), kept?.salt ?? new Uint8Array(16), kept?.cost ?? scryptCost);
  if (!kept) return { right: false, outdated: false };
  const { logN, r, p } = kept.cost;
  const outdated = logN !== scryptCost.logN || r !== scryptCost.r || p !== scryptCost.p;
  return { right: areEqual(hash, kept.hash), outdated };
}

function parse(text: string) {
  const [, logN, r, p, salt, hash] = pattern.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return undefined;
  const cost = { logN: Number(logN), r: Number(r), p: Number(p) };
  const isSane =
    cost.logN > 0 && cost.r > 0 && cost.p > 0 && 128 * 2 ** cost.logN * cost.r <= mostMemoryBytes;
  return isSane ? { cost, salt: fromBase64(salt), hash: fromBase64(hash) } : undefined;
}

/** Looks at every byte, whichever is the first to differ. */
function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] ?? 0);
  return difference === 0;
}
