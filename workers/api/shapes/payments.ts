// Payments, reversals and conflicts as they are answered.

import * as z from 'zod/mini';
import { postingBeside } from './postings.ts';
import { currency, decimal, exactNumber, instant, metadata, uuid } from './values.ts';

const status = z.enum(['received', 'partially_reversed', 'reversed', 'failed']);

const version = {
  loanAccountNumber: z.string(),
  cif: z.string(),
  amount: decimal,
  currency,
  paymentDate: instant,
  paymentChannel: z.string(),
  source: z.string(),
  metadata,
};

/** In lists. */
export const payment = z.object({
  id: uuid,
  namespace: z.string(),
  referenceNumber: z.string(),
  ...version,
  linkedPaymentId: z.nullable(uuid),
  requiresReceipt: z.boolean(),
  status,
  reversedAmount: decimal,
  createdAt: instant,
});

const entries = <S extends z.ZodMiniType>(amount: S) => {
  const every = { at: instant, actor: z.string(), source: z.string() };
  const sum = { amount: z.nullable(amount), currency: z.nullable(currency) };
  const told = { reason: z.nullable(z.string()), occurredAt: z.nullable(instant) };
  return z.array(
    z.discriminatedUnion('type', [
      z.object({ type: z.literal('received'), ...every, ...sum }),
      z.object({ type: z.literal('failed'), ...every, failureReference: z.string(), ...sum, ...told }),
      z.object({
        type: z.enum(['reversed', 'reversal_held', 'reversal_refused']),
        ...every,
        reversalId: uuid,
        reversalReference: z.string(),
        ...sum,
        ...told,
        refusal: z.nullable(z.string()),
      }),
    ]),
  );
};

/** What is null: nobody said it, of a reference that only has attempts that failed. */
const whole = {
  id: z.nullable(uuid),
  namespace: z.string(),
  referenceNumber: z.string(),
  loanAccountNumber: z.nullable(z.string()),
  cif: z.nullable(z.string()),
  amount: z.nullable(decimal),
  currency: z.nullable(currency),
  paymentDate: z.nullable(instant),
  paymentChannel: z.nullable(z.string()),
  source: z.nullable(z.string()),
  metadata,
  linkedPaymentId: z.nullable(uuid),
  requiresReceipt: z.nullable(z.boolean()),
  status,
  reversedAmount: z.nullable(decimal),
  createdAt: z.nullable(instant),
};
const postings = z.array(postingBeside);
export const wholePayment = z.object({ ...whole, history: entries(decimal), postings });
export const paymentWithOthers = z.object({
  ...whole,
  history: entries(decimal),
  postings,
  others: z.array(wholePayment),
});

/** Of an old payment whose month has been exported. */
export const exportedPayment = z.object({
  id: uuid,
  referenceNumber: z.string(),
  exported: z.literal(true),
});

const { namespace: _, linkedPaymentId: __, ...unversioned } = whole;
const numbers = { amount: z.nullable(exactNumber), reversedAmount: z.nullable(exactNumber) };

/** Under the paths without a version. */
export const unversionedPayment = z.object({ ...unversioned, ...numbers });
export const unversionedPaymentWhole = z.object({
  ...unversioned,
  ...numbers,
  history: entries(exactNumber),
});

export const reversal = z.object({
  id: uuid,
  status: z.enum(['held', 'applied', 'refused']),
  refusal: z.nullable(z.enum(['exceeds_payment', 'nothing_left', 'other_currency'])),
  namespace: z.string(),
  referenceNumber: z.string(),
  reversalReference: z.string(),
  paymentId: z.nullable(uuid),
  /** What was asked for; null is all that is left. */
  amount: z.nullable(decimal),
  /** What was taken back. */
  appliedAmount: z.nullable(decimal),
  currency: z.nullable(currency),
  reason: z.string(),
  source: z.string(),
  actor: z.string(),
  occurredAt: instant,
  settledAt: z.nullable(instant),
  createdAt: instant,
});

export const reversedState = z.object({
  id: uuid,
  status,
  amount: decimal,
  currency,
  reversedAmount: decimal,
  leftAmount: decimal,
});

export const reversalWithPayment = z.extend(reversal, { payment: z.nullable(reversedState) });

export const conflict = z.object({
  id: uuid,
  status: z.enum(['open', 'accepted', 'dismissed']),
  referenceNumber: z.string(),
  paymentId: uuid,
  recorded: z.object(version),
  received: z.object(version),
  timesSeen: z.int(),
  firstSeenAt: instant,
  lastSeenAt: instant,
  decidedBy: z.nullable(z.string()),
  decidedAt: z.nullable(instant),
  reason: z.nullable(z.string()),
  acceptedPaymentId: z.nullable(uuid),
});
