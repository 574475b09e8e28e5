// Gives months their partitions: this one, the coming ones, and any whose rows lie in the default partition, which are
// moved: copied piece by piece while everybody works on, and then, in one transaction for which writers wait, what has
// changed since is copied, the originals deleted and the month attached. Whoever is killed before that begins again.

import type { Database } from '../database.ts';
import type { Month } from './month.ts';
import { patiently } from './patiently.ts';
import { addMonth, copyMonth, monthsToAdd, type Place } from './store.ts';

export interface AddMonthsOptions {
  now: Date;
  monthsAhead: number;
  /** No more months than this in one call; what comes first is most needed. */
  most: number;
  /** Between attempts; throws when it is time to stop. */
  pause: (ms: number) => Promise<void>;
  /** Called between any two pieces of work; throws when it is time to stop. */
  progress: (done: AddedMonths) => Promise<void>;
}

// A type, because a run's detail is one.
export type AddedMonths = {
  months_added: number;
  rows_moved: number;
  /** Left for the next call. */
  months_left: number;
};

const rowsAtOnce = 10_000;

/** Throws DatabaseFault and what `pause` and `progress` throw; safe to repeat. */
export async function addMonths(db: Database, options: AddMonthsOptions): Promise<AddedMonths> {
  const { now, monthsAhead, most, pause, progress } = options;
  const months = await monthsToAdd(db, now, monthsAhead);
  const done = { months_added: 0, rows_moved: 0, months_left: months.length };
  for (const { month, hasRows } of months.slice(0, most)) {
    if (hasRows) await copyRows(db, month, pause, () => progress(done));
    const moved = await patiently((lockTimeoutMs) => addMonth(db, month, hasRows, lockTimeoutMs), pause);
    done.months_left -= 1;
    if (moved !== null) {
      done.months_added += 1;
      done.rows_moved += moved;
    }
    await progress(done);
  }
  return done;
}

async function copyRows(
  db: Database,
  month: Month,
  pause: (ms: number) => Promise<void>,
  between: () => Promise<void>,
): Promise<void> {
  let last: Place | undefined;
  do {
    const after = last;
    last = await patiently((lockTimeoutMs) => copyMonth(db, month, after, rowsAtOnce, lockTimeoutMs), pause);
    await between();
  } while (last);
}
