// Gives a person a new first password: whoever gave it knows it, so it opens nothing but the way to another one, and
// every session ends.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Caller } from './caller.ts';
import { readRoles } from './role-store.ts';
import { mayManage, mayReset, type User, type UserRefusal } from './user.ts';
import { findUser, saveFirstPassword } from './user-store.ts';

export type GivePasswordRefusal = { kind: 'unknown_user' } | { kind: 'not_by_password' } | UserRefusal;

const tries = 5;

export async function givePassword(
  db: Database,
  { caller, id, hash }: { caller: Caller; id: string; hash: string },
): Promise<Result<User, GivePasswordRefusal>> {
  for (let left = tries; left > 0; left--) {
    const [user, roles] = await Promise.all([findUser(db, id), readRoles(db)]);
    if (!user || !mayManage(caller, user)) return refused({ kind: 'unknown_user' });
    if (user.source !== 'password') return refused({ kind: 'not_by_password' });
    const allowed = mayReset(caller, user, roles);
    if (!allowed.ok) return allowed;
    if (await saveFirstPassword(db, user, hash)) {
      return ok({ ...user, version: user.version + 1, mustChangePassword: true });
    }
  }
  throw new Error('a person was changed by others again and again');
}
