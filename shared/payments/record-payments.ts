// Records payments: the one rule for every way in. Each one is created, a duplicate or a conflict; one round trip
// for the whole batch, all of it or nothing. The unique key on (namespace, reference_number) decides.

import type { Database } from '../database.ts';
import { type NewPayment, paymentIdOf, type Recorded, recordedEventIdOf } from './payment.ts';
import { saveRecordedPayments } from './store.ts';

/**
 * Answers in the order of `payments`. Repeating the call changes nothing but a conflict's count. Throws
 * DatabaseFault; after a timeout the batch may be recorded or not, and repeating it tells.
 */
export async function recordPayments(db: Database, payments: readonly NewPayment[]): Promise<Recorded[]> {
  const identified = payments.map((payment) => {
    const id = paymentIdOf(payment);
    return { ...payment, id, eventId: recordedEventIdOf(id) };
  });
  return saveRecordedPayments(db, identified);
}
