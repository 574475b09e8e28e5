// The SQL of roles beside those of the code.

import type { Database } from '../database.ts';
import { type Role, type RoleContent, rolesOfTheCode } from './role.ts';
import { type Grants, grantsOf } from './roles.ts';

interface RoleRow {
  name: string;
  description: string;
  version: number;
  createdAt: Date;
  changedAt: Date;
  grants: Array<[string, string]>;
}

/** All there are: those of the code, then the others by name. */
export async function readRoles(db: Database): Promise<Role[]> {
  const rows = await db.query<RoleRow>(
    `select name, description, version, created_at as "createdAt", changed_at as "changedAt",
       (select coalesce(jsonb_agg(jsonb_build_array(permission, reach) order by permission), '[]')
        from staff.role_permissions where role = name) as grants
     from staff.roles order by name`,
  );
  return [
    ...rolesOfTheCode,
    ...rows.map(({ grants, ...row }) => ({ ...row, builtIn: false, grants: grantsOf([], grants) })),
  ];
}

const plain = (grants: Grants) => JSON.stringify(Object.fromEntries(grants));

/** Undefined when there is one of this name, or somebody still has one that was. */
export async function saveRole(
  db: Database,
  { name, description, grants }: RoleContent & { name: string },
): Promise<{ version: number; createdAt: Date; changedAt: Date } | undefined> {
  const [row] = await db.query<{ version: number; createdAt: Date; changedAt: Date }>(
    `with added as (
       insert into staff.roles (name, description)
       select $1, $2 where not exists (select from staff.user_roles where role = $1)
       on conflict do nothing returning name, version, created_at, changed_at
     ), worth as (
       insert into staff.role_permissions (role, permission, reach)
       select name, key, value from added, jsonb_each_text($3::jsonb)
     )
     select version, created_at as "createdAt", changed_at as "changedAt" from added`,
    [name, description, plain(grants)],
  );
  return row;
}

export interface SavedRole {
  outcome: 'changed' | 'stale';
  version: number;
  changedAt: Date;
}

export async function saveRoleChange(
  db: Database,
  {
    name,
    version,
    description,
    grants,
  }: { name: string; version: number; description: string; grants: Grants | undefined },
): Promise<SavedRole> {
  const [row] = await db.query<SavedRole>(
    `select outcome, new_version as version, new_changed_at as "changedAt"
     from staff.change_role($1, $2, $3, $4::jsonb)`,
    [name, version, description, grants ? plain(grants) : null],
  );
  return row as SavedRole;
}

export async function saveRoleRemoval(
  db: Database,
  name: string,
  version: number,
): Promise<{ outcome: 'removed' | 'stale' | 'in_use'; holders: number }> {
  const [row] = await db.query<{ outcome: 'removed' | 'stale' | 'in_use'; holders: number }>(
    'select outcome, holders from staff.remove_role($1, $2)',
    [name, version],
  );
  return row as { outcome: 'removed' | 'stale' | 'in_use'; holders: number };
}
