// Postings as they are answered, and what is asked of them.

import * as z from 'zod/mini';
import { maskCardText } from '../../../shared/payments/mask-card-data.ts';
import { postingStates } from '../../../shared/posting/posting.ts';
import { reason } from '../reason.ts';
import { calendarDay, currency, decimal, instant, uuid } from './values.ts';

export const state = z.enum(postingStates, `expected one of ${postingStates.join(', ')}`);

const kind = z.enum(['payment', 'reversal']);

export const posting = z.object({
  id: uuid,
  kind,
  state,
  paymentId: uuid,
  referenceNumber: z.string(),
  loanAccountNumber: z.string(),
  accountId: z.nullable(z.string()),
  amount: decimal,
  reversedAmount: decimal,
  currency,
  effectiveOn: calendarDay,
  reverses: z.nullable(uuid),
  reversalId: z.nullable(uuid),
  moveId: z.nullable(uuid),
  heldBecause: z.nullable(z.string()),
  heldMessage: z.nullable(z.string()),
  attempts: z.int(),
  transactionId: z.nullable(z.string()),
  reason: z.nullable(z.string()),
  actor: z.string(),
  matchedBy: z.nullable(z.string()),
  matchReason: z.nullable(z.string()),
  createdAt: instant,
  decidedAt: z.nullable(instant),
});

/** Beside its payment. */
export const postingBeside = z.object({
  id: uuid,
  kind,
  state,
  accountId: z.nullable(z.string()),
  amount: decimal,
  currency,
  effectiveOn: calendarDay,
  reverses: z.nullable(uuid),
  heldBecause: z.nullable(z.string()),
  transactionId: z.nullable(z.string()),
  decidedAt: z.nullable(instant),
});

const accountId = z.string('expected a text').check(
  z.refine(
    (text) => text.trim().length > 0 && text.length <= 255 && !text.includes('\0') && text.isWellFormed(),
    'expected 1 to 255 characters',
  ),
  z.meta({ minLength: 1, maxLength: 255, pattern: '^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$' }),
);
const amount = z
  .string('expected a decimal text')
  .check(z.regex(/^(?!0*\.?0*$)[0-9]{1,13}(\.[0-9]{1,4})?$/, 'expected a decimal text above zero'));
const maskedReason = z.pipe(reason, z.transform(maskCardText));

export const match = z.object({ accountId, reason: maskedReason });

export const move = z.object({
  to: z
    .array(z.object({ accountId, amount }), 'expected a list')
    .check(z.minLength(1, 'expected 1 to 20 loans'), z.maxLength(20, 'expected 1 to 20 loans')),
  reason: maskedReason,
});

export const moved = z.object({ moveId: z.nullable(uuid), paymentId: uuid, postings: z.array(posting) });
