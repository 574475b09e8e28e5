// What is known of jobs and their last runs, for whoever decides what to run.

import type { Database } from '../database.ts';
import type { JobName, Schedule } from './job.ts';
import { readSchedules } from './store.ts';

/** One for each job, in the order given. Throws DatabaseFault. */
export const jobSchedules = (db: Database, jobs: readonly JobName[]): Promise<Schedule[]> =>
  readSchedules(db, jobs);
