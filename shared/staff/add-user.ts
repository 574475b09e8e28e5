// Makes somebody known on behalf of a caller, who gives them nothing that they do not hold themselves.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Caller } from './caller.ts';
import { createUser } from './create-user.ts';
import type { NewUser } from './new-user.ts';
import { readRoles } from './role-store.ts';
import { mayGive, type User, type UserRefusal } from './user.ts';
import { findUser } from './user-store.ts';

export async function addUser(
  db: Database,
  { caller, ...user }: Omit<NewUser, 'actor'> & { caller: Caller },
): Promise<Result<User, { kind: 'username_taken' } | UserRefusal>> {
  const allowed = mayGive(caller, user, await readRoles(db));
  if (!allowed.ok) return allowed;
  const made = await createUser(db, { ...user, actor: caller.actor });
  if (!made.ok) {
    return made.refusal === 'unknown_role'
      ? refused({ kind: 'unknown_role', roles: [...user.roles] })
      : refused({ kind: made.refusal });
  }
  const added = await findUser(db, made.value.id);
  if (!added) throw new Error('who has just been added is not there');
  return ok(added);
}
