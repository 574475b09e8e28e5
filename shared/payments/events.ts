// What the payments slice announces: on topic payment.events in seed 003's words, on payment.lifecycle as seed 004's
// PaymentEvent, both under one event id. The database writes the texts in the transaction that does what they tell, so
// that an amount never passes through a double; this is their contract. Parse a text with parseExactJson.

import * as z from 'zod/mini';
import { isNumberSource, type NumberSource } from '../exact-json.ts';

/** Major units with exactly the currency's decimals. */
const amount = z.custom<NumberSource>(isNumberSource);
const currency = z.string().check(z.length(3));
/** UTC, milliseconds. */
const instant = z.iso.datetime({ precision: 3 });
const source = z.enum(['webhook', 'staging', 'api', 'sync']);
const object = z.custom<object>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && !isNumberSource(value),
);

/** UUIDv5 of what it tells; a repeat carries the same one. `timestamp` is when it was recorded. */
const head = <Type extends string>(type: Type) => ({
  event_id: z.uuid(),
  event_type: z.literal(type),
  timestamp: instant,
});

/** Seed 003's PaymentRecordedEvent, with the currency. */
export const paymentRecorded = z.strictObject({
  ...head('payment.recorded'),
  payment: z.strictObject({
    id: z.uuid(),
    reference_number: z.string(),
    loan_account_number: z.string(),
    cif: z.string(),
    amount,
    currency,
    payment_date: instant,
    payment_channel: z.string(),
    source,
    metadata: object,
  }),
});

/** `payment.amount` is what was paid, `reversal.amount` what this reversal took back of it. */
export const paymentReversed = z.strictObject({
  ...head('payment.reversed'),
  payment: z.strictObject({
    id: z.uuid(),
    reference_number: z.string(),
    loan_account_number: z.string(),
    cif: z.string(),
    amount,
    currency,
    status: z.enum(['partially_reversed', 'reversed']),
  }),
  reversal: z.strictObject({
    id: z.uuid(),
    reference: z.string(),
    amount,
    currency,
    /** Of all the payment's reversals up to this one. */
    reversed_total: amount,
    reason: z.string(),
    occurred_at: instant,
    source,
  }),
});

/** An attempt to pay that failed; what the provider does not say is null. */
export const paymentFailed = z.strictObject({
  ...head('payment.failed'),
  payment: z.strictObject({
    reference_number: z.string(),
    loan_account_number: z.nullable(z.string()),
    cif: z.nullable(z.string()),
    amount: z.nullable(amount),
    currency: z.nullable(currency),
    payment_channel: z.string(),
    source,
  }),
  failure: z.strictObject({
    id: z.uuid(),
    reference: z.string(),
    reason: z.string(),
    occurred_at: instant,
  }),
});

/** Seed 004's PaymentEvent. Of a reversal, `amount` is what it took back. */
export const paymentEvent = z.strictObject({
  id: z.uuid(),
  type: z.enum(['PAYMENT_RECEIVED', 'PAYMENT_FAILED', 'PAYMENT_REVERSED']),
  paymentReferenceNumber: z.string(),
  loanAccountNumber: z.nullable(z.string()),
  cif: z.nullable(z.string()),
  amount: z.nullable(amount),
  timestamp: instant,
  status: z.enum(['received', 'failed', 'partially_reversed', 'reversed']),
  details: object,
});
