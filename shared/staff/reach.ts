// How far a permission goes: whose things a caller may touch with it, and whether one set of grants holds another.

import type { Caller } from './caller.ts';
import type { Permission } from './permissions.ts';
import { type Grants, reaches } from './roles.ts';

/** What of `wanted` goes beyond `held`: not there at all, or with a narrower reach. */
export const beyond = (held: Grants, wanted: Grants): Permission[] =>
  [...wanted].flatMap(([permission, reach]) => {
    const own = held.get(permission);
    return own !== undefined && reaches.indexOf(own) <= reaches.indexOf(reach) ? [] : [permission];
  });

/** Whose things a caller may see or touch: everybody's, or those of a team and their own. */
export type Circle = 'everybody' | { team: string | null; userId: string | null; actor: string };

/** Undefined: nobody's. A key belongs to no team. */
export function circleOf(caller: Caller, permission: Permission): Circle | undefined {
  const reach = caller.grants.get(permission);
  if (reach === undefined) return undefined;
  if (reach === 'all') return 'everybody';
  const [team, userId] = caller.kind === 'user' ? [caller.team, caller.id] : [null, null];
  return { team: reach === 'team' ? team : null, userId, actor: caller.actor };
}

/** Whether somebody is in it. */
export const includes = (circle: Circle | undefined, person: { id: string; team: string | null }): boolean =>
  circle === 'everybody' ||
  (circle !== undefined &&
    (circle.userId === person.id || (circle.team !== null && circle.team === person.team)));
