// Where a webhook's arrivals become records: payments by the way that remembers them, each at once so that they share
// what they can, and after them everything else, so that a reversal in the same body finds its payment.

import type { Database } from '../../shared/database.ts';
import { type Arrival, type Outcome, recordArrivals } from '../../shared/payments/arrival.ts';
import type { Afterwards } from '../afterwards.ts';
import type { Guard } from './guard.ts';
import type { RecordPayment } from './record-payment.ts';

interface Recording {
  record: RecordPayment;
  guard: Guard;
  db: Database;
  afterwards: Afterwards;
}

/** Answers in the order given. Throws DatabaseFault; what was recorded before it stays, and repeating finishes. */
export async function recordAll(
  arrivals: readonly Arrival[],
  { record, guard, db, afterwards }: Recording,
): Promise<Outcome[]> {
  const outcomes = new Map<Arrival, Outcome>();
  const payments = arrivals.filter((arrival) => arrival.kind === 'payment');
  const others = arrivals.filter((arrival) => arrival.kind !== 'payment');
  // All of them are waited for, also where one fails: nothing is left running behind the answer.
  const recorded = await Promise.allSettled(payments.map(({ payment }) => record(payment, afterwards)));
  for (const [i, settled] of recorded.entries()) {
    if (settled.status === 'rejected') throw settled.reason;
    outcomes.set(payments[i] as Arrival, settled.value);
  }
  if (others.length > 0) {
    const answers = await guard(() => recordArrivals(db, others));
    others.forEach((arrival, i) => void outcomes.set(arrival, answers[i] as Outcome));
  }
  return arrivals.map((arrival) => outcomes.get(arrival) as Outcome);
}
