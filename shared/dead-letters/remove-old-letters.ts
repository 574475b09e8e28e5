// Decided letters hold what events say about people, so they do not stay for good.

import type { Database } from '../database.ts';
import { deleteOldDeadLetters } from './store.ts';

/** Removes at most so many that were decided 90 days ago, and answers how many it were. Those that wait stay. */
export const removeOldDeadLetters = (db: Database, limit: number): Promise<number> =>
  deleteOldDeadLetters(db, limit);
