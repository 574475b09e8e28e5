// Up to how much somebody with a role does alone, by kind of command and currency. Nobody sets that of a role of theirs.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Caller } from '../staff/caller.ts';
import { deleteLimit, type Limit, saveLimit } from './store.ts';

export type { Limit };

const isOwn = (caller: Caller, role: string) =>
  caller.kind === 'user' ? caller.roles.includes(role) : role === 'service';

/** The amount can be read in the currency. Throws DatabaseFault; safe to repeat. */
export async function setLimit(
  db: Database,
  caller: Caller,
  limit: Limit,
): Promise<Result<undefined, 'own_limit'>> {
  if (isOwn(caller, limit.role)) return refused('own_limit');
  await saveLimit(db, limit, caller.actor);
  return ok(undefined);
}

/** Without it nothing is done alone. Throws DatabaseFault. */
export async function removeLimit(
  db: Database,
  caller: Caller,
  limit: Omit<Limit, 'amount'>,
): Promise<Result<undefined, 'own_limit' | 'unknown_limit'>> {
  if (isOwn(caller, limit.role)) return refused('own_limit');
  return (await deleteLimit(db, limit)) ? ok(undefined) : refused('unknown_limit');
}
