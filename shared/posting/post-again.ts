// Has payments posted that were recorded when nothing was told to the ledger. Those that have a posting, whatever became of
// it, are left alone, so that to repeat it changes nothing.

import type { Database } from '../database.ts';
import { paymentsWithoutPosting, tellAgain } from './store.ts';

/**
 * Payments of a range of payment dates in steps of `limit`, each step a transaction of its own: yields how many were told so
 * far after each. Payments that retention has exported are not. Throws DatabaseFault.
 */
export async function* postAgain(
  db: Database,
  range: { from: Date; until: Date },
  { limit, dryRun }: { limit: number; dryRun: boolean },
): AsyncGenerator<number, void> {
  let told = 0;
  let after: { at: string; id: string } | undefined;
  for (;;) {
    const payments = await paymentsWithoutPosting(db, range, after, limit);
    if (!dryRun && payments.length > 0) {
      await tellAgain(
        db,
        payments.map(({ id, eventId }) => ({ paymentId: id, eventId })),
      );
    }
    told += payments.length;
    yield told;
    if (payments.length < limit) return;
    after = payments.at(-1);
  }
}
