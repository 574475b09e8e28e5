// What is sent to record a payment or to take one back. The slices read it (shared/payments/staff-request.ts); this
// describes it, and is tried against them.

import * as z from 'zod/mini';
import { currencies } from '../../../shared/money.ts';
import { identifierLimits } from '../../../shared/payments/payment-fields.ts';
import { reason } from '../reason.ts';

const within = '[^\\u0000-\\u001f\\u007f-\\u009f]';
const edge = '[^\\s\\u0000-\\u001f\\u007f-\\u009f]';

/** How an identifier is described: without control characters, and without white space at its ends. */
export const identifierMeta = (limit: number) => ({
  minLength: 1,
  maxLength: limit,
  pattern: `^${edge}(${within}*${edge})?$`,
});
const text = (limit: number) => z.string().check(z.meta(identifierMeta(limit)));

export const currencyMeta = { enum: [...currencies] };

const amount = z.unknown().check(
  z.meta({
    description: 'A decimal number or text, with no more decimals than its currency has',
    anyOf: [
      { type: 'string', pattern: '^[0-9]{1,13}(\\.[0-9]{1,4})?$' },
      { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1e13 },
    ],
  }),
);

const currency = z
  .string()
  .check(z.meta({ description: 'ISO 4217; of the deployment unless told', ...currencyMeta }));

const namespace = (pattern: string) => z.nullish(z.string().check(z.meta({ pattern })));
const name = '[a-z0-9][a-z0-9-]{0,62}';

export const paymentRequest = z.object({
  referenceNumber: text(identifierLimits.reference_number),
  loanAccountNumber: text(identifierLimits.loan_account_number),
  cif: text(identifierLimits.cif),
  amount,
  currency: z.nullish(currency),
  paymentDate: z.string().check(
    z.meta({
      description: 'ISO 8601; without offset a time of the business zone',
      anyOf: [{ format: 'date' }, { format: 'date-time' }],
    }),
  ),
  paymentChannel: z.nullish(text(identifierLimits.payment_channel)),
  metadata: z.nullish(z.record(z.string(), z.unknown())),
  requiresReceipt: z.nullish(z.boolean()),
  namespace: namespace(`^${name}$`),
});

export const reversalRequest = z.object({
  reason,
  amount: z.nullish(amount),
  currency: z.nullish(currency),
  reversalReference: z.nullish(text(255)),
  namespace: namespace(`^(conflict:)?${name}$`),
});

/** Of what is done once under it. */
export const idempotencyKey = z.object({
  'idempotency-key': z.optional(
    z.string().check(
      z.meta({
        description: 'The same request under one key is done once and answered alike',
        pattern: '^[!-~]{1,255}$',
      }),
    ),
  ),
});
