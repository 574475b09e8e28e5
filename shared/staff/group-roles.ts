// What the groups of a provider or a directory are worth here. A setting says it, so a name that no role can have stops
// the process when it starts and nobody at their desk.

import * as z from 'zod/mini';
import { builtInRoles, isBuiltInRole } from './roles.ts';

interface GroupRole {
  name: string;
  /** In the database, and worth nothing when it is not there. */
  keptHere: boolean;
}

/** By group: its name, or its distinguished name. */
export type GroupRoles = ReadonlyMap<string, GroupRole>;

/** Distinguished names are the same however they are capitalised; other names are not. */
const asKey = (group: string) => (/^\w[\w.-]*=/.test(group) ? group.toLowerCase() : group);

function roleFrom(text: unknown): GroupRole | undefined {
  if (typeof text !== 'string') return undefined;
  if (isBuiltInRole(text)) return { name: text, keptHere: false };
  const [, name] = /^custom:([a-z][a-z0-9-]{0,63})$/.exec(text) ?? [];
  return name === undefined || isBuiltInRole(name) ? undefined : { name, keptHere: true };
}

function parse(text: string): GroupRoles | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  const roles = new Map<string, GroupRole>();
  for (const [group, named] of Object.entries(json)) {
    const role = roleFrom(named);
    if (group === '' || !role) return undefined;
    roles.set(asKey(group), role);
  }
  return roles;
}

export const groupRolesSetting = () =>
  z.pipe(
    z
      ._default(z.string(), '{}')
      .check(
        z.refine(
          (text) => parse(text) !== undefined,
          `expected JSON like {"a group": "agent"}, whose roles are ${Object.keys(builtInRoles).join(', ')} or custom:<name>`,
        ),
      ),
    z.transform((text): GroupRoles => parse(text) ?? new Map()),
  );

/** The roles of somebody in these groups; `keptHere` are those of them that live in the database. */
export function rolesOfGroups(
  worth: GroupRoles,
  groups: readonly string[],
): { roles: string[]; keptHere: string[] } {
  const found = groups.flatMap((group) => worth.get(asKey(group)) ?? []);
  const names = (some: readonly GroupRole[]) => [...new Set(some.map(({ name }) => name))].toSorted();
  return { roles: names(found), keptHere: names(found.filter(({ keptHere }) => keptHere)) };
}
