// Tells a range again: what was announced of its payments goes out once more, under the same event ids and with the
// same texts, in the order of the first time. Consumers that know the ids see nothing new.

import type { Database } from '../database.ts';
import type { PublishedUpTo, PublishRange } from './publish-range.ts';
import { savePublishedAgain } from './store.ts';

export interface PublishedAgain {
  payments: number;
  failures: number;
  reversals: number;
}

/**
 * Facts in steps of `limit`, each step a transaction of its own: yields what was told so far after each. Between steps
 * the caller may wait, or stop; what was written goes out. Payments that retention has exported are not told. Throws
 * DatabaseFault; to repeat is safe.
 */
export async function* publishAgain(
  db: Database,
  range: PublishRange,
  { limit, dryRun }: { limit: number; dryRun: boolean },
): AsyncGenerator<PublishedAgain, void> {
  const total = { payments: 0, failures: 0, reversals: 0 };
  let after: PublishedUpTo | null = null;
  for (;;) {
    const { upTo, ...told } = await savePublishedAgain(db, range, limit, after, dryRun);
    total.payments += told.payments;
    total.failures += told.failures;
    total.reversals += told.reversals;
    yield { ...total };
    if (upTo === null || told.payments + told.failures + told.reversals < limit) return;
    after = upTo;
  }
}
