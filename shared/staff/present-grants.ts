// What callers who stay for a while may do by now, all of them asked about at once.

import type { Database } from '../database.ts';
import type { Caller } from './caller.ts';
import type { Grants } from './roles.ts';
import { findGrants } from './store.ts';

/** What a caller is asked about by. */
export const subjectOf = (caller: Caller): string =>
  caller.kind === 'user' ? `session:${caller.session.id}` : caller.actor;

/** By subject; whose session or key has ended is not there. Throws DatabaseFault. */
export const presentGrants = (
  db: Database,
  callers: readonly Caller[],
): Promise<ReadonlyMap<string, Grants>> =>
  findGrants(db, {
    sessions: callers.flatMap((caller) => (caller.kind === 'user' ? [caller.session.id] : [])),
    keys: callers.flatMap((caller) => (caller.kind === 'key' ? [caller.prefix] : [])),
  });
