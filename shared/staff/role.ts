// A role: what it is worth, and who may make of it what. Those of the code are never changed; nobody makes a role that is
// worth more than what they hold, nor takes from one that is.

import { ok, type Result, refused } from '../result.ts';
import type { Permission } from './permissions.ts';
import { beyond } from './reach.ts';
import { builtInRoles, type Grants, grantsOf, isBuiltInRole, type Reach } from './roles.ts';

export interface Role {
  name: string;
  description: string;
  builtIn: boolean;
  grants: Grants;
  /** Of those that can be changed. */
  version: number | null;
  createdAt: Date | null;
  changedAt: Date | null;
}

export interface RoleContent {
  description: string;
  grants: Grants;
}

export type RoleRefusal =
  | { kind: 'unknown_role' }
  | { kind: 'built_in_role' }
  | { kind: 'beyond_own_rights'; permissions: Permission[] };

export const rolesOfTheCode: readonly Role[] = Object.entries(builtInRoles).map(
  ([name, { description }]) => ({
    ...{ name, description, builtIn: true, grants: grantsOf([name], []) },
    ...{ version: null, createdAt: null, changedAt: null },
  }),
);

/** What people wrote down, as grants. */
export const grantsFrom = (permissions: Readonly<Partial<Record<Permission, Reach>>>): Grants =>
  grantsOf([], Object.entries(permissions));

/** What roles of these names add up to. A name that no role has is worth nothing. */
export function worthOf(names: readonly string[], roles: readonly Role[]): Grants {
  const others = roles.filter(({ name, builtIn }) => !builtIn && names.includes(name));
  return grantsOf(
    names.filter(isBuiltInRole),
    others.flatMap(({ grants }) => [...grants]),
  );
}

/** Whether somebody with these grants may make a role of it, or take it away. */
export function mayShape(
  held: Grants,
  role: Role | undefined,
  content?: RoleContent,
): Result<void, RoleRefusal> {
  if (role?.builtIn) return refused({ kind: 'built_in_role' });
  const permissions = [
    ...new Set([
      ...(role ? beyond(held, role.grants) : []),
      ...(content ? beyond(held, content.grants) : []),
    ]),
  ];
  return permissions.length > 0 ? refused({ kind: 'beyond_own_rights', permissions }) : ok(undefined);
}
