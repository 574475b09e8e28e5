// Says how a run is going and how it ended. A run that has ended stays as it is.

import type { Database } from '../database.ts';
import type { RunDetail, RunEnd } from './job.ts';
import { saveEnd, saveProgress } from './store.ts';

/** Throws DatabaseFault; safe to repeat. */
export const reportProgress = (db: Database, runId: string, detail: RunDetail): Promise<void> =>
  saveProgress(db, runId, detail);

/** Throws DatabaseFault; safe to repeat. */
export const finishRun = (db: Database, runId: string, end: RunEnd): Promise<void> => saveEnd(db, runId, end);
