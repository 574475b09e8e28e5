// Forgets the Idempotency-Keys that are older than they are promised to be known. What was done under them stays done,
// and stays once: payments and reversals have references of their own.

import type { Database } from '../database.ts';
import { deleteOldIdempotencyKeys } from './store.ts';

/** At most `limit` of them; answers how many. Throws DatabaseFault; safe to repeat, also at the same time. */
export const removeOldIdempotencyKeys = (db: Database, limit: number): Promise<number> =>
  deleteOldIdempotencyKeys(db, limit);
