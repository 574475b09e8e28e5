// The job `partitions`: the payments table always has its coming months, and what fell into the default partition
// moves to where it belongs.

import { setTimeout as sleep } from 'node:timers/promises';
import { addMonths } from '../../shared/partitions/add-months.ts';
import type { Job } from '../jobs.ts';

/** Each is a moment in which payments wait; the rest is for the next run. */
const mostMonthsPerRun = 24;

export const partitions =
  ({ monthsAhead }: { monthsAhead: number }): Job =>
  ({ db, now, signal, progress }) =>
    addMonths(db, {
      now,
      monthsAhead,
      most: mostMonthsPerRun,
      pause: (ms) => sleep(ms, undefined, { signal }),
      progress: async (done) => {
        signal.throwIfAborted();
        await progress(done);
      },
    });
