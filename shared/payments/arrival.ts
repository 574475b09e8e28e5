// What a way in may bring, and the verb that records any mixture of it: webhooks of providers, what was accepted during
// an outage, what a provider's API told. Each kind is one call to the database; all of them are safe to repeat.

import type { Database } from '../database.ts';
import type { NewFailure } from './failure.ts';
import { keepNotices } from './keep-notices.ts';
import type { NewNotice } from './notice.ts';
import type { NewPayment, Recorded } from './payment.ts';
import { recordFailures } from './record-failures.ts';
import { recordPayments } from './record-payments.ts';
import type { NewReversal, Reversed } from './reversal.ts';
import { reversePayments } from './reverse-payments.ts';

export type Arrival =
  | { kind: 'payment'; payment: NewPayment }
  | { kind: 'reversal'; reversal: NewReversal }
  | { kind: 'failure'; failure: NewFailure }
  | { kind: 'notice'; notice: NewNotice };

/** What became of an arrival; each kind has its own words. */
export type Outcome = Recorded | Reversed | { outcome: 'recorded' | 'kept' | 'duplicate' };

/**
 * Answers in the order given. Payments first, so that a reversal in the same mixture finds its payment. A fault leaves
 * the kinds before it recorded; repeating the whole call finishes the rest.
 */
export async function recordArrivals(db: Database, arrivals: readonly Arrival[]): Promise<Outcome[]> {
  const outcomes = new Map<Arrival, Outcome>();
  const each = async <K extends Arrival['kind']>(
    kind: K,
    record: (some: Extract<Arrival, { kind: K }>[]) => Promise<Outcome[]>,
  ) => {
    const some = arrivals.filter((arrival) => arrival.kind === kind) as Extract<Arrival, { kind: K }>[];
    if (some.length === 0) return;
    const answers = await record(some);
    some.forEach((arrival, i) => void outcomes.set(arrival, answers[i] as Outcome));
  };
  await each('payment', (some) =>
    recordPayments(
      db,
      some.map(({ payment }) => payment),
    ),
  );
  await each('failure', async (some) => {
    const answers = await recordFailures(
      db,
      some.map(({ failure }) => failure),
    );
    return answers.map((outcome) => ({ outcome }));
  });
  await each('reversal', (some) =>
    reversePayments(
      db,
      some.map(({ reversal }) => reversal),
      { keepRefused: true },
    ),
  );
  await each('notice', async (some) =>
    (
      await keepNotices(
        db,
        some.map(({ notice }) => notice),
      )
    ).map((outcome) => ({ outcome })),
  );
  return arrivals.map((arrival) => outcomes.get(arrival) as Outcome);
}
