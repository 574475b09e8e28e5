// Who vouches for somebody with a name and a password: we do for those who have a password here, a directory for its
// people and for everybody of whom nothing is known yet. A name is never tried in both.

import type { Database } from '../database.ts';
import type { Attempted } from './attempt.ts';
import type { Directory } from './directory.ts';
import type { Identity } from './identity.ts';
import { findIdentified } from './identity-store.ts';
import { type Scrypt, verifyPassword } from './password-hash.ts';

/** `totp` where there is a second factor. */
export type Vouched =
  | { by: 'password'; userId: string; username: string; verified: string; outdated: boolean; totp: Totp }
  /** Without an id they are new here. */
  | { by: 'directory'; userId: string | null; username: string; identity: Identity; totp: Totp }
  | { by: 'nobody'; because: string };
type Totp = Attempted['totp'];

/** As in staff.users. Directories also take for a name what only looks like it, which would be counted by itself. */
const usernamePattern = /^[a-z0-9][a-z0-9._@-]{0,63}$/;

/** It takes about as long whoever it is. Throws BusyFault and DirectoryAway: nobody has been refused. */
export async function vouch(
  { db, scrypt, directory }: { db: Database; scrypt: Scrypt; directory: Directory | undefined },
  { source, hash, ...begun }: Attempted,
  { username, password }: { username: string; password: string },
): Promise<Vouched> {
  const trying = verifyPassword(scrypt, password, hash);
  if (directory && (source === null || source === 'ldap') && usernamePattern.test(username)) {
    // The password that they do not have here is tried for the time that it takes, and for nothing else.
    const [answer] = await Promise.all([directory.ask({ username, password }), trying.catch(() => {})]);
    if (answer.outcome === 'refused') return { by: 'nobody', because: answer.because };
    const identity: Identity = { source: 'ldap', ...answer.identity };
    const known = await findIdentified(db, identity);
    return { by: 'directory', userId: null, username, totp: undefined, ...known, identity };
  }
  const tried = await trying;
  const { userId, username: name, totp } = begun;
  if (userId === null || name === null) return { by: 'nobody', because: 'unknown' };
  if (hash === null) return { by: 'nobody', because: 'no_password' };
  if (!tried.right) return { by: 'nobody', because: 'password' };
  return { by: 'password', userId, username: name, verified: hash, outdated: tried.outdated, totp };
}
