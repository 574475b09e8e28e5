// The ledger's operations as the servicing app has them.

import * as z from 'zod/mini';
import { isNumberSource } from '../../../shared/exact-json.ts';
import { maskCardText } from '../../../shared/payments/mask-card-data.ts';
import { reason } from '../reason.ts';
import { currency, exactNumber } from './values.ts';

const transaction = z.object({
  transactionId: z.string(),
  type: z.string(),
  effectiveDate: z.nullable(z.string()),
  transactionDate: z.nullable(z.string()),
  principalDelta: exactNumber,
  feeDelta: exactNumber,
  totalDelta: exactNumber,
  principalAfter: exactNumber,
  feeAfter: exactNumber,
  totalAfter: exactNumber,
  description: z.nullable(z.string()),
  createdBy: z.nullable(z.string()),
});

const success = z.literal(true);

export const unversionedTransactions = z.object({
  success,
  loanAccountId: z.string(),
  transactions: z.array(transaction),
  totalCount: z.int(),
});

export const unversionedBalance = z.object({
  success,
  loanAccountId: z.string(),
  currency,
  principalBalance: exactNumber,
  feeBalance: exactNumber,
  totalOutstanding: exactNumber,
});

export const unversionedPosted = z.object({
  success,
  transactionId: z.string(),
  transaction: z.nullable(transaction),
  allocatedToFees: z.nullable(exactNumber),
  allocatedToPrincipal: z.nullable(exactNumber),
  overpayment: z.nullable(exactNumber),
});

export const unversionedRequested = z.object({
  success,
  status: z.literal('requested'),
  requestId: z.string(),
});

// What is sent ------------------------------------------------------------------------------------------------------

const amount = z.unknown().check(
  z.refine(
    (value) => (typeof value === 'string' && value.length <= 64) || isNumberSource(value),
    'expected a decimal number or text',
  ),
  z.meta({
    anyOf: [
      { type: 'string', pattern: '^[0-9]{1,13}(\\.[0-9]{1,4})?$' },
      { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1e13 },
    ],
  }),
);
const masked = z.pipe(reason, z.transform(maskCardText));
const loanAccountId = z.string('expected a text');
/** Of JSON whose numbers keep their text. */
const days = z.unknown().check(
  z.refine(
    (value) =>
      value === null || value === undefined || (isNumberSource(value) && /^\d{1,5}$/.test(value.rawJSON)),
    'expected a whole number',
  ),
  z.meta({ type: 'integer', minimum: 0, maximum: 99_999 }),
);

export const unversionedRepaymentAsked = z.object({
  loanAccountId,
  amount,
  paymentMethod: z.nullish(masked),
  paymentReference: z.nullish(masked),
  notes: z.nullish(masked),
});
export const feeAsked = z.object({
  loanAccountId,
  feeType: z.enum(['late_fee', 'dishonour_fee'], 'expected late_fee or dishonour_fee'),
  feeAmount: amount,
  daysPastDue: z.optional(
    z.pipe(
      days,
      z.transform((value) => (isNumberSource(value) ? Number(value.rawJSON) : null)),
    ),
  ),
  reason: z.nullish(masked),
});
export const unversionedWaiverAsked = z.object({ loanAccountId, waiverAmount: amount, reason: masked });
