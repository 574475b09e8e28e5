// The close of a day: interest that has accrued on principal until its end, and how late each loan is then. A bounded
// number of loans a transaction, in the order of their ids; where it has got to is kept with them, so that a close that
// was killed goes on, two at once share the work, and one that is done does nothing.
//
// Remainders are carried: what is posted is the whole minor units of all days so far, less what was posted before. A day
// that was missed is made up for by the close of a later one; what is posted backdated is put right by the next.

import type { Database, TransactionalDatabase } from '../database.ts';
import {
  accrue,
  age,
  beginClose,
  type Closing,
  finishClose,
  lockAccruing,
  nextLoans,
  reachedBy,
} from './close-store.ts';

export interface ClosedSome {
  /** Of this step. */
  loans: number;
  accruals: number;
  agingsChanged: number;
  /** Nothing of the day is left to do. */
  done: boolean;
}

const defaultAtOnce = 5_000;
const lockTimeoutMs = 10_000;

/** Closes the day for the next loans. Throws DatabaseFault, and then nothing of the step is done; safe to repeat. */
export async function closeSome(
  db: TransactionalDatabase,
  day: string,
  now: Date,
  atOnce = defaultAtOnce,
): Promise<ClosedSome> {
  const nothing = { loans: 0, accruals: 0, agingsChanged: 0, done: true };
  await beginClose(db, day, now);
  return db.transaction(async (tx) => {
    const after = await reachedBy(tx, day);
    if (after === undefined) return nothing;
    const { loans, upTo } = await nextLoans(tx, after, atOnce);
    if (upTo === undefined) {
      await finishClose(tx, day, now);
      return nothing;
    }
    return { loans, ...(await closeLoans(tx, { day, now, after, upTo, loans })), done: false };
  });
}

async function closeLoans(
  tx: Database,
  closing: Closing,
): Promise<{ accruals: number; agingsChanged: number }> {
  // A statement of its own: the next one's snapshot is then younger than the locks.
  await lockAccruing(tx, closing, lockTimeoutMs);
  const accruals = await accrue(tx, closing);
  const agingsChanged = await age(tx, closing, accruals);
  return { accruals, agingsChanged };
}

/** Closes the day for all loans, or until `signal`; `done` tells which. */
export async function closeDay(
  db: TransactionalDatabase,
  day: string,
  now: () => Date,
  { atOnce, signal }: { atOnce?: number | undefined; signal?: AbortSignal | undefined } = {},
): Promise<ClosedSome> {
  const all = { loans: 0, accruals: 0, agingsChanged: 0, done: false };
  while (!all.done && !signal?.aborted) {
    const some = await closeSome(db, day, now(), atOnce);
    all.loans += some.loans;
    all.accruals += some.accruals;
    all.agingsChanged += some.agingsChanged;
    all.done = some.done;
  }
  return all;
}
