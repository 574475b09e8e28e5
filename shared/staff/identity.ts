// Somebody as a provider or a directory knows them.

import type { Person } from './caller.ts';

export interface Identity {
  source: Exclude<Person['source'], 'password'>;
  /** Who vouches for them. */
  issuer: string;
  /** Its name for them, which is never anybody else's: an OpenID Connect `sub`, a directory's `entryUUID` or `objectGUID`. */
  subject: string;
  /** What they are called there. It becomes their user name here if it is free; it never makes them somebody who is here. */
  username: string;
  name: string;
  email: string | null;
  /** By the names that the setting GROUP_ROLES uses. */
  groups: readonly string[];
}

/**
 * `name_taken`: somebody here has the user name, or the issuer's name for them. `unusable_name`: it is no user name.
 * An administrator helps with both by making the person known beforehand, under another name.
 */
export type IdentityRefusal = 'no_role' | 'deactivated' | 'name_taken' | 'unusable_name';

const nameLimit = 200;
const emailLimit = 320;
const inOneLine = (text: string) => text.replace(/[\p{Cc}\p{Cs}]+/gu, ' ').trim();

/** As a name is kept; without half a character at its end. */
export const keptName = (text: string): string => [...inOneLine(text)].slice(0, nameLimit).join('').trim();

export function keptEmail(text: string | null): string | null {
  const email = inOneLine(text ?? '');
  return email !== '' && email.length <= emailLimit ? email : null;
}
