// Forgets the log of staging runs that were completed 90 days ago or earlier, a bounded number at a time. Runs that
// failed or never ended stay.

import type { Database } from '../database.ts';
import { removeStagingRunsBefore } from './store.ts';

const keptDays = 90;

/** Answers how many it removed. Throws DatabaseFault; safe to repeat. */
export const removeOldStagingRuns = (db: Database, now: Date, limit: number): Promise<number> =>
  removeStagingRunsBefore(db, new Date(now.getTime() - keptDays * 86_400_000), limit);
