// Takes payments back: the one rule for every way in. The database's CHECK (reversed <= amount) has the last word, the
// unique key (namespace, reference_number, reversal_reference) makes a repeated reversal a duplicate.

import type { Database } from '../database.ts';
import { type NewReversal, type Reversed, reversalIdOf, reversedEventIdOf } from './reversal.ts';
import { saveReversals } from './store.ts';

/**
 * Answers in the order given; all of the batch or nothing. With `keepRefused` a reversal that asks for too much is kept
 * for staff to see: who reports money that has moved is not argued with. Throws DatabaseFault; safe to repeat.
 */
export async function reversePayments(
  db: Database,
  reversals: readonly NewReversal[],
  { keepRefused }: { keepRefused: boolean },
): Promise<Reversed[]> {
  const identified = reversals.map((reversal) => {
    const id = reversalIdOf(reversal);
    return { ...reversal, id, eventId: reversedEventIdOf(id) };
  });
  return saveReversals(db, identified, keepRefused);
}
