// What a password must be, as NIST SP 800-63B has it: long enough, not their name, not one that attackers try first.
// Nothing about kinds of characters: such rules make passwords worse.

import type { Database } from '../database.ts';
import { normalisedPassword } from './password-hash.ts';
import { isBreached } from './password-store.ts';

export type PasswordFault = 'too_short' | 'too_long' | 'contains_username' | 'breached';

const maximum = 128;
/** Whatever is shorter, said again and again, is in every list. */
const shortUnit = 4;

/** What can be told without the list. Characters are counted as people do, one for each code point. */
export function passwordFault(
  password: string,
  { username, minimum }: { username: string; minimum: number },
): PasswordFault | undefined {
  const text = normalisedPassword(password);
  const length = [...text].length;
  if (length < minimum) return 'too_short';
  if (length > maximum) return 'too_long';
  // A short name is in many good passwords; then only the name itself is refused.
  const lower = text.toLowerCase();
  const named = username.length >= 4 ? lower.includes(username) : lower === username;
  return named ? 'contains_username' : undefined;
}

/** Undefined for a password that may be set. */
export async function refusedPassword(
  db: Database,
  password: string,
  rules: { username: string; minimum: number },
): Promise<PasswordFault | undefined> {
  const fault = passwordFault(password, rules);
  if (fault !== undefined) return fault;
  const text = normalisedPassword(password);
  const repeated = unitOf(text.toLowerCase());
  if (repeated !== undefined && [...repeated].length < shortUnit) return 'breached';
  // Lists have common ones in lower case, and once.
  const tried = new Set([text, text.toLowerCase(), repeated ?? text]);
  const hashes = await Promise.all([...tried].map(sha1));
  return (await isBreached(db, hashes)) ? 'breached' : undefined;
}

/** What it is the repetition of. */
const unitOf = (text: string): string | undefined => /^(.+?)\1+$/su.exec(text)?.[1];

/** Hex; as the lists have it. It protects nothing here. */
async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
