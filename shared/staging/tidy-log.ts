// The log of staging batches: lines of batches whose process has died are closed, old ones are forgotten.

import type { Database } from '../database.ts';
import { logInterrupted, removeLogBefore } from './store.ts';

const keptDays = 90;

/** Answers how many batches were found interrupted; their rows are as they were. Throws DatabaseFault; safe to repeat. */
export const closeInterrupted = (db: Database): Promise<number> => logInterrupted(db);

/** Forgets at most `limit` lines of 90 days ago or earlier; answers how many. Throws DatabaseFault; safe to repeat. */
export const removeOldLog = (db: Database, now: Date, limit: number): Promise<number> =>
  removeLogBefore(db, new Date(now.getTime() - keptDays * 86_400_000), limit);
