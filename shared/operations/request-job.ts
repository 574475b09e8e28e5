// Asks for a run of a job. While a request waits, asking again answers the same one: the run that follows begins after
// both were made, so it serves both.

import type { Database } from '../database.ts';
import type { JobName } from './job.ts';
import { saveRequest } from './store.ts';

const attempts = 5;

/** Throws DatabaseFault; safe to repeat. */
export async function requestJob(
  db: Database,
  request: { job: JobName; actor: string },
): Promise<{ runId: string }> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const runId = await saveRequest(db, request);
    // None: another request was there when this one was written, and was taken before it could be read.
    if (runId !== undefined) return { runId };
  }
  throw new Error(`requests of ${request.job} are taken faster than they can be read`);
}
