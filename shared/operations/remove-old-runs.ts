// Forgets runs of jobs that ended 90 days ago or earlier, a bounded number at a time.

import type { Database } from '../database.ts';
import { removeRunsBefore } from './store.ts';

const keptDays = 90;

/** Answers how many it removed. Throws DatabaseFault; safe to repeat. */
export const removeOldRuns = (db: Database, now: Date, limit: number): Promise<number> =>
  removeRunsBefore(db, new Date(now.getTime() - keptDays * 86_400_000), limit);
