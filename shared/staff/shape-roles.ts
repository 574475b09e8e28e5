// Makes, changes and removes roles beside those of the code, on behalf of a caller who holds what they are worth.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Caller } from './caller.ts';
import { mayShape, type Role, type RoleContent, type RoleRefusal } from './role.ts';
import { readRoles, saveRole, saveRoleChange, saveRoleRemoval } from './role-store.ts';

/** All there are. */
export const listRoles = (db: Database): Promise<Role[]> => readRoles(db);

export async function createRole(
  db: Database,
  { caller, name, ...content }: RoleContent & { caller: Caller; name: string },
): Promise<Result<Role, { kind: 'role_exists' } | RoleRefusal>> {
  const allowed = mayShape(caller.grants, undefined, content);
  if (!allowed.ok) return allowed;
  if ((await readRoles(db)).some((role) => role.name === name)) return refused({ kind: 'role_exists' });
  const saved = await saveRole(db, { name, ...content });
  return saved ? ok({ name, ...content, builtIn: false, ...saved }) : refused({ kind: 'role_exists' });
}

type Changed = { kind: 'changed_meanwhile'; present: Role };

export async function changeRole(
  db: Database,
  {
    caller,
    name,
    version,
    ...change
  }: Partial<RoleContent> & { caller: Caller; name: string; version: number },
): Promise<Result<Role, Changed | RoleRefusal>> {
  const role = (await readRoles(db)).find((one) => one.name === name);
  if (!role) return refused({ kind: 'unknown_role' });
  const content = {
    description: change.description ?? role.description,
    grants: change.grants ?? role.grants,
  };
  const allowed = mayShape(caller.grants, role, content);
  if (!allowed.ok) return allowed;
  if (role.version !== version) return refused({ kind: 'changed_meanwhile', present: role });
  const { outcome, ...saved } = await saveRoleChange(db, {
    ...{ name, version, description: content.description },
    // What this version does not know of it stays, unless it is said what it is to be.
    grants: change.grants,
  });
  if (outcome === 'changed') return ok({ ...role, ...content, ...saved });
  const present = (await readRoles(db)).find((one) => one.name === name);
  return refused(present ? { kind: 'changed_meanwhile', present } : { kind: 'unknown_role' });
}

/** `in_use`: so many people have it. */
export async function removeRole(
  db: Database,
  { caller, name }: { caller: Caller; name: string },
): Promise<Result<void, { kind: 'role_in_use'; holders: number } | RoleRefusal>> {
  for (;;) {
    const role = (await readRoles(db)).find((one) => one.name === name);
    if (!role) return refused({ kind: 'unknown_role' });
    const allowed = mayShape(caller.grants, role);
    if (!allowed.ok) return allowed;
    const { outcome, holders } = await saveRoleRemoval(db, name, role.version as number);
    if (outcome === 'removed') return ok(undefined);
    if (outcome === 'in_use') return refused({ kind: 'role_in_use', holders });
  }
}
