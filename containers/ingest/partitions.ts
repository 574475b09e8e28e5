// The job `partitions`: the payments table and the archive of events always have their coming months, and what fell into
// a default partition moves to where it belongs.

import { setTimeout as sleep } from 'node:timers/promises';
import { addMonths } from '../../shared/partitions/add-months.ts';
import { addArchiveMonths } from '../../shared/servicing/add-archive-months.ts';
import type { Job } from '../jobs.ts';

/** Each is a moment in which payments wait; the rest is for the next run. */
const mostMonthsPerRun = 24;

export const partitions =
  ({ monthsAhead }: { monthsAhead: number }): Job =>
  async ({ db, now, signal, progress }) => {
    const archive_months_added = await addArchiveMonths(db, monthsAhead);
    const added = await addMonths(db, {
      now,
      monthsAhead,
      most: mostMonthsPerRun,
      pause: (ms) => sleep(ms, undefined, { signal }),
      progress: async (done) => {
        signal.throwIfAborted();
        await progress(done);
      },
    });
    return { ...added, archive_months_added };
  };
