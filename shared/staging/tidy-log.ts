// Closes the log lines of batches whose process has died, and forgets lines after 90 days, a bounded number at a time.

import type { Database } from '../database.ts';
import { logInterrupted, removeOldLog } from './store.ts';

const keptDays = 90;
const removedAtOnce = 1_000;

/** Answers how many batches were found interrupted; their rows are as they were. Throws DatabaseFault; safe to repeat. */
export async function tidyLog(db: Database): Promise<number> {
  const interrupted = await logInterrupted(db);
  await removeOldLog(db, keptDays, removedAtOnce);
  return interrupted;
}
