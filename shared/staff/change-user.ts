// Changes a person: looks at them, decides, and saves if they are still the same. What came between is looked at anew,
// unless the caller named the version that the change was made from.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Caller } from './caller.ts';
import { readRoles } from './role-store.ts';
import { isBuiltInRole } from './roles.ts';
import { mayChange, mayManage, type User, type UserChange, type UserRefusal } from './user.ts';
import { findUser, saveUserChange } from './user-store.ts';

export type ChangeUserRefusal =
  | { kind: 'unknown_user' }
  | { kind: 'changed_meanwhile'; present: User }
  | { kind: 'last_admin' }
  | UserRefusal;

const tries = 5;

export async function changeUser(
  db: Database,
  {
    caller,
    id,
    version,
    changeOf,
  }: {
    caller: Caller;
    id: string;
    /** That the change was made from. */
    version?: number;
    changeOf: (user: User) => UserChange;
  },
): Promise<Result<User, ChangeUserRefusal>> {
  for (let left = tries; left > 0; left--) {
    const [user, roles] = await Promise.all([findUser(db, id), readRoles(db)]);
    if (!user || !mayManage(caller, user)) return refused({ kind: 'unknown_user' });
    if (version !== undefined && user.version !== version) {
      return refused({ kind: 'changed_meanwhile', present: user });
    }
    const change = changeOf(user);
    const allowed = mayChange(caller, user, change, roles);
    if (!allowed.ok) return allowed;
    const wanted = withChange(user, change);
    const assigned = wanted.roles.filter(({ source }) => source === 'assigned').map(({ name }) => name);
    // Names that no role has any more are worth nothing, and stay until somebody takes them away.
    const keptHere = assigned.filter(
      (name) => !isBuiltInRole(name) && !user.roles.some((held) => held.name === name),
    );
    const saved = await saveUserChange(db, wanted, change.roles && { assigned, keptHere });
    if (saved.outcome === 'last_admin') return refused({ kind: 'last_admin' });
    // Another version, or a role that has just gone: looked at again, it is told apart.
    if (saved.outcome !== 'changed') continue;
    return ok({ ...wanted, version: saved.version, changedAt: saved.changedAt });
  }
  throw new Error('a person was changed by others again and again');
}

function withChange(user: User, { roles, ...change }: UserChange): User {
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
  const held = [...new Set(roles ?? [])]
    .toSorted()
    .map((name) => user.roles.find((role) => role.name === name) ?? { name, source: 'assigned' as const });
  return { ...user, ...given, roles: roles ? held : user.roles };
}
