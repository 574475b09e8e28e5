// Records one payment for a caller who may name the request with an Idempotency-Key. Key and payment are one
// transaction: a crash leaves both or neither.

import type { Database } from '../database.ts';
import type { IdempotencyKey, Once } from '../operations/idempotency-key.ts';
import { type NewPayment, paymentIdOf, type Recorded, recordedEventIdOf } from './payment.ts';
import { recordPayments } from './record-payments.ts';
import { saveRecordedPaymentsOnce } from './store.ts';

/** Without a key the reference alone makes a repetition a duplicate. Throws DatabaseFault; safe to repeat. */
export async function recordPaymentOnce(
  db: Database,
  payment: NewPayment,
  key: IdempotencyKey | undefined,
): Promise<Once<Recorded>> {
  if (!key) {
    const [recorded] = await recordPayments(db, [payment]);
    return { state: 'new', done: recorded as Recorded, answer: null };
  }
  const id = await paymentIdOf(payment);
  const identified = { ...payment, id, eventId: await recordedEventIdOf(id) };
  const once = await saveRecordedPaymentsOnce(db, [identified], key);
  return once.state === 'reused' ? once : { ...once, done: once.done[0] as Recorded };
}
