// Forgets changes that nobody who was away for so long is told of one by one any more.

import type { Database } from '../database.ts';
import { deleteOldChanges } from './store.ts';

const keptMinutes = 60;

/** At most `limit` of them; answers how many. Throws DatabaseFault; safe to repeat, also at the same time. */
export const removeOldChanges = (db: Database, limit: number): Promise<number> =>
  deleteOldChanges(db, keptMinutes, limit);
