// Gives months their partitions: this one, the coming ones, and any whose rows lie in the default partition, which are
// moved. A month is done whole or not at all, so whoever is killed in between just begins again.

import type { Database } from '../database.ts';
import { patiently } from './patiently.ts';
import { addMonth, monthsToAdd } from './store.ts';

export interface AddMonthsOptions {
  now: Date;
  monthsAhead: number;
  /** No more months than this in one call; what comes first is most needed. */
  most: number;
  /** Between attempts; throws when it is time to stop. */
  pause: (ms: number) => Promise<void>;
  progress: (done: AddedMonths) => Promise<void>;
}

// A type, because a run's detail is one.
export type AddedMonths = {
  months_added: number;
  rows_moved: number;
  /** Left for the next call. */
  months_left: number;
};

/** Throws DatabaseFault; safe to repeat. */
export async function addMonths(db: Database, options: AddMonthsOptions): Promise<AddedMonths> {
  const { now, monthsAhead, most, pause, progress } = options;
  const months = await monthsToAdd(db, now, monthsAhead);
  const done = { months_added: 0, rows_moved: 0, months_left: months.length };
  for (const month of months.slice(0, most)) {
    const moved = await patiently((lockTimeoutMs) => addMonth(db, month, lockTimeoutMs), pause);
    done.months_left -= 1;
    if (moved !== null) {
      done.months_added += 1;
      done.rows_moved += moved;
    }
    await progress(done);
  }
  return done;
}
