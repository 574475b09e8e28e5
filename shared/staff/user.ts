// A person as those see them who manage people, and what may be made of them. Nobody grants what they do not hold, nor
// changes somebody who holds more; nobody changes what they themselves may do; what a directory gave only it takes away.

import { ok, type Result, refused } from '../result.ts';
import type { Caller, Person } from './caller.ts';
import type { Permission } from './permissions.ts';
import { beyond, circleOf, includes } from './reach.ts';
import { type Role, worthOf } from './role.ts';

export interface HeldRole {
  name: string;
  /** `directory`: it follows from a group there. */
  source: 'assigned' | 'directory';
}

export interface User {
  id: string;
  username: string;
  displayName: string;
  email: string | null;
  team: string | null;
  status: 'active' | 'deactivated';
  source: Person['source'];
  externalId: string | null;
  roles: HeldRole[];
  mustChangePassword: boolean;
  version: number;
  createdAt: Date;
  createdBy: string;
  changedAt: Date;
}

/** What is not there stays as it is. `roles` are all of them, those of a directory included. */
export interface UserChange {
  displayName?: string | undefined;
  email?: string | null | undefined;
  team?: string | null | undefined;
  status?: User['status'] | undefined;
  roles?: readonly string[] | undefined;
}

export type UserRefusal =
  | { kind: 'own_rights' }
  | { kind: 'directory_role'; role: string }
  | { kind: 'unknown_role'; roles: string[] }
  | { kind: 'beyond_own_rights'; permissions: Permission[] };

const isSelf = (caller: Caller, user: { id: string }) => caller.kind === 'user' && caller.id === user.id;

const beyondRights = (permissions: Permission[]): Result<void, UserRefusal> =>
  permissions.length > 0 ? refused({ kind: 'beyond_own_rights', permissions }) : ok(undefined);

/** Whether the caller may give these roles to somebody of this team. */
export function mayGive(
  caller: Caller,
  given: { team: string | null; roles: readonly string[] },
  roles: readonly Role[],
): Result<void, UserRefusal> {
  const unknown = given.roles.filter((name) => !roles.some((role) => role.name === name));
  if (unknown.length > 0) return refused({ kind: 'unknown_role', roles: unknown });
  const circle = circleOf(caller, 'users:manage');
  // Whoever manages a team moves nobody out of it, and makes nobody beside it.
  const elsewhere = circle !== 'everybody' && (circle?.team ?? null) !== given.team;
  return beyondRights([
    ...(elsewhere || circle === undefined ? (['users:manage'] as const) : []),
    ...beyond(caller.grants, worthOf(given.roles, roles)),
  ]);
}

/** Whether the caller holds all that this person does: else they could let themselves in as somebody who may do more. */
export function mayTakeInHand(caller: Caller, user: User, roles: readonly Role[]): Result<void, UserRefusal> {
  const names = user.roles.map(({ name }) => name);
  return beyondRights(beyond(caller.grants, worthOf(names, roles)));
}

/** Whether the caller, who may manage this person, may do this to them. */
export function mayChange(
  caller: Caller,
  user: User,
  change: UserChange,
  roles: readonly Role[],
): Result<void, UserRefusal> {
  const held = user.roles.map(({ name }) => name);
  const wanted = change.roles ?? held;
  const added = wanted.filter((name) => !held.includes(name));
  const removed = user.roles.filter(({ name }) => !wanted.includes(name));
  const team = change.team === undefined ? user.team : change.team;
  const moves = team !== user.team;
  const turns = change.status !== undefined && change.status !== user.status;
  if (isSelf(caller, user) && (added.length > 0 || removed.length > 0 || moves || turns)) {
    return refused({ kind: 'own_rights' });
  }
  const directory = removed.find(({ source }) => source === 'directory');
  if (directory) return refused({ kind: 'directory_role', role: directory.name });
  const inHand = mayTakeInHand(caller, user, roles);
  if (!inHand.ok) return inHand;
  return moves || added.length > 0 ? mayGive(caller, { team, roles: added }, roles) : ok(undefined);
}

/** Whether the caller may take away what this person, whom they may manage, signs in with: password, second factor. */
export function mayReset(caller: Caller, user: User, roles: readonly Role[]): Result<void, UserRefusal> {
  return isSelf(caller, user) ? refused({ kind: 'own_rights' }) : mayTakeInHand(caller, user, roles);
}

/** Whether the caller may manage them at all; if not, they are not there. */
export const mayManage = (caller: Caller, user: User): boolean =>
  includes(circleOf(caller, 'users:manage'), user);
