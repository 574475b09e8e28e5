// Begins a run of a job, for the process that holds the job's lock. Whatever run is still marked as running belonged to
// a process that has died.

import type { Database } from '../database.ts';
import { isDue, type JobName } from './job.ts';
import { abandonRuns, insertRun, readSchedules, takeRequest } from './store.ts';

/** The run's id, or undefined when the job is not due (any more). Throws DatabaseFault. */
export async function startRun(
  db: Database,
  run: { job: JobName; everySeconds: number | null; instance: string },
): Promise<{ runId: string } | undefined> {
  await abandonRuns(db, run.job);
  const [schedule] = await readSchedules(db, [run.job]);
  if (!schedule || !isDue(schedule, run.everySeconds)) return undefined;
  return { runId: (await takeRequest(db, run)) ?? (await insertRun(db, run)) };
}
