// Takes messages of the outbox for the ledger and makes postings of them, in the transaction that takes them. Nobody asks
// the ledger here: what it will be asked, and under which key, is written down first.

import { calendarDate } from '../calendar-date.ts';
import type { Database } from '../database.ts';
import { uuidOf } from '../id.ts';
import { formatAmount, parseAmount } from '../money.ts';
import type { OutboxMessage } from '../outbox/message.ts';
import { recordedEventIdOf } from '../payments/payment.ts';
import { type PaymentTold, type ReversalTold, takeBack } from './posting.ts';
import {
  isReversalTaken,
  lockPayments,
  openPostings,
  savePayments,
  saveReversal,
  tellAgain,
  voidTakenBack,
} from './store.ts';

/** Namespace UUID of ours (random, fixed for good): changing it would let reversals be posted twice. */
const reversalSpace = '0c1f6a52-3d0b-4a8e-9a55-7be2f1c04d93';

/**
 * A payment's posting has the id of the event that told of the payment, a reversal's follows from its event and from what it
 * reverses. Throws DatabaseFault; what has been taken before changes nothing. `timeZone` is the business zone.
 */
export async function takeMessages(
  tx: Database,
  messages: readonly OutboxMessage[],
  { timeZone }: { timeZone: string },
): Promise<void> {
  const payments = messages.filter(({ topic }) => topic === 'ledger.payments');
  if (payments.length > 0) {
    await savePayments(
      tx,
      payments.map(({ eventId, payload }) => ({ id: eventId, ...(JSON.parse(payload) as PaymentTold) })),
    );
  }
  // A reversal is told after its payment, so it finds the payment among those before it.
  const reversals = messages
    .filter(({ topic }) => topic === 'ledger.reversals')
    .map(({ eventId, payload }) => ({ eventId, ...(JSON.parse(payload) as ReversalTold) }));
  if (reversals.length === 0) return;
  const paymentIds = [...new Set(reversals.map(({ paymentId }) => paymentId))];
  const known = await lockPayments(tx, paymentIds);
  for (const reversal of reversals) {
    if (known.has(reversal.paymentId)) await takeReversal(tx, reversal, timeZone);
  }
  // Recorded when nothing was told to the ledger. Now they are told, and their reversals again after them.
  const untold = paymentIds.filter((id) => !known.has(id));
  if (untold.length === 0) return;
  await tellAgain(
    tx,
    untold.map((paymentId) => ({ paymentId, eventId: recordedEventIdOf(paymentId) })),
  );
}

async function takeReversal(
  tx: Database,
  told: ReversalTold & { eventId: string },
  timeZone: string,
): Promise<void> {
  if (await isReversalTaken(tx, told.paymentId, told.reversalId)) return;
  const { currency } = told;
  const amount = parseAmount(told.amount, currency);
  if (!amount.ok) throw new Error(`the amount of a reversal is ${amount.refusal}`);
  const parts = takeBack(amount.value.amountMinor, await openPostings(tx, told.paymentId));
  for (const { of, amountMinor } of parts) {
    await saveReversal(tx, {
      id: uuidOf(reversalSpace, `${told.eventId} ${of.id}`),
      reverses: of.id,
      reversalId: told.reversalId,
      amount: formatAmount({ amountMinor, currency }),
      effectiveOn: calendarDate(new Date(told.occurredAt), timeZone),
      state: of.state === 'posted' ? 'pending' : 'waiting',
      reason: told.reason,
      actor: told.actor,
    });
  }
  await voidTakenBack(
    tx,
    parts.map(({ of }) => of.id),
  );
}
