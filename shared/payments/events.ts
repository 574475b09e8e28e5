// What the payments slice announces on topic payment.events. The database writes the text in the transaction that
// records the payment (record_payments), so that an amount never passes through a double; this is its contract.

import * as z from 'zod/mini';
import { isNumberSource, type NumberSource } from '../exact-json.ts';

/** Seed 003's PaymentRecordedEvent, with the currency. Parse the text with parseExactJson. */
export const paymentRecorded = z.strictObject({
  /** UUIDv5 of the payment id; a repeat carries the same one. */
  event_id: z.uuid(),
  event_type: z.literal('payment.recorded'),
  /** UTC, milliseconds: when it was recorded. */
  timestamp: z.iso.datetime({ precision: 3 }),
  payment: z.strictObject({
    id: z.uuid(),
    reference_number: z.string(),
    loan_account_number: z.string(),
    cif: z.string(),
    /** Major units with exactly the currency's decimals. */
    amount: z.custom<NumberSource>(isNumberSource),
    currency: z.string().check(z.length(3)),
    payment_date: z.iso.datetime({ precision: 3 }),
    payment_channel: z.string(),
    source: z.enum(['webhook', 'staging', 'api', 'sync']),
    metadata: z.custom<object>(
      (value) =>
        typeof value === 'object' && value !== null && !Array.isArray(value) && !isNumberSource(value),
    ),
  }),
});
