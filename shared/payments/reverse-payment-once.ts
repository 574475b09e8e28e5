// Takes one payment back for a caller who may name the request with an Idempotency-Key. Key and reversal are one
// transaction. What is refused is not kept: who asked is told.

import type { Database } from '../database.ts';
import type { IdempotencyKey, Once } from '../operations/idempotency-key.ts';
import { type NewReversal, type Reversed, reversalIdOf, reversedEventIdOf } from './reversal.ts';
import { reversePayments } from './reverse-payments.ts';
import { saveReversalsOnce } from './store.ts';

/** Without a key the reversal's reference alone makes a repetition a duplicate. Throws DatabaseFault; safe to repeat. */
export async function reversePaymentOnce(
  db: Database,
  reversal: NewReversal,
  key: IdempotencyKey | undefined,
): Promise<Once<Reversed>> {
  if (!key) {
    const [reversed] = await reversePayments(db, [reversal], { keepRefused: false });
    return { state: 'new', done: reversed as Reversed, answer: null };
  }
  const id = await reversalIdOf(reversal);
  const identified = { ...reversal, id, eventId: await reversedEventIdOf(id) };
  const once = await saveReversalsOnce(db, [identified], false, key);
  return once.state === 'reused' ? once : { ...once, done: once.done[0] as Reversed };
}
