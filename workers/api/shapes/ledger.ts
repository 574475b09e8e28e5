// What the ledger has of a loan and what it is told, as the API shows and takes them; and requests that wait for a second
// person.

import * as z from 'zod/mini';
import { limitedKinds, requestStatuses } from '../../../shared/approvals/request.ts';
import { maskCardText } from '../../../shared/payments/mask-card-data.ts';
import { reason } from '../reason.ts';
import { identifierMeta } from './requests.ts';
import { calendarDay, currency, decimal, instant, uuid } from './values.ts';

const nullableText = z.nullable(z.string());

export const ledgerTransaction = z.object({
  transactionId: z.string(),
  type: z.string(),
  effectiveOn: z.nullable(calendarDay),
  recordedAt: z.nullable(instant),
  principalDelta: decimal,
  feeDelta: decimal,
  totalDelta: decimal,
  principalAfter: decimal,
  feeAfter: decimal,
  totalAfter: decimal,
  description: nullableText,
  referenceType: nullableText,
  referenceId: nullableText,
  metadata: z.record(z.string(), z.string()),
  createdBy: nullableText,
  notes: nullableText,
});

const ofLoan = { accountId: z.string(), currency };

export const ledgerTransactions = z.object({
  ...ofLoan,
  data: z.array(ledgerTransaction),
  totalCount: z.int(),
});

export const ledgerBalance = z.object({
  ...ofLoan,
  principal: decimal,
  fees: decimal,
  totalOutstanding: decimal,
  interest: z.nullable(decimal).check(z.meta({ description: 'Null: the ledger keeps none apart' })),
  suspense: z.nullable(decimal).check(z.meta({ description: 'What was paid beyond what was owed' })),
  writtenOff: z.nullable(decimal),
  version: nullableText.check(z.meta({ description: 'Of the last transfer' })),
  asOf: z.nullable(z.string()),
});

export const ledgerRecord = z.object({
  ...ofLoan,
  accountNumber: nullableText,
  customerId: nullableText,
  applicationNumber: nullableText,
  disbursedPrincipal: decimal,
  establishmentFee: decimal,
  totalRepayable: decimal,
  principal: decimal,
  fees: decimal,
  totalOutstanding: decimal,
  totalPaid: decimal,
  transactionCount: z.int(),
  lastTransactionId: nullableText,
  scheduleId: nullableText,
  createdAt: z.nullable(instant),
  updatedAt: z.nullable(instant),
});

export const ledgerStatement = z.object({
  ...ofLoan,
  accountNumber: nullableText,
  customerId: nullableText,
  from: calendarDay,
  to: calendarDay,
  disbursedPrincipal: decimal,
  establishmentFee: decimal,
  totalRepayable: decimal,
  openingBalance: decimal,
  feesCharged: decimal,
  paymentsReceived: decimal,
  closingBalance: decimal,
  lines: z.array(
    z.object({
      date: calendarDay,
      transactionId: z.string(),
      description: z.string(),
      charge: z.nullable(decimal),
      payment: z.nullable(decimal),
      balance: decimal,
    }),
  ),
  generatedAt: z.nullable(instant),
});

export const ledgerSchedule = z.object({
  ...ofLoan,
  scheduleId: nullableText,
  customerId: nullableText,
  applicationNumber: nullableText,
  instalments: z.array(
    z.object({
      paymentNumber: z.int(),
      dueOn: calendarDay,
      amount: decimal,
      status: z.string(),
      amountPaid: decimal,
      amountRemaining: decimal,
      paidOn: z.nullable(calendarDay),
      transactionIds: z.array(z.string()),
    }),
  ),
  summary: z.object({
    totalInstalments: z.int(),
    paidCount: z.int(),
    partialCount: z.int(),
    overdueCount: z.int(),
    pendingCount: z.int(),
    nextDueOn: z.nullable(calendarDay),
    nextDueAmount: z.nullable(decimal),
    totalScheduled: decimal,
    totalPaid: decimal,
    totalRemaining: decimal,
  }),
});

export const ledgerAging = z.object({
  ...ofLoan,
  daysPastDue: z.int(),
  bucket: z.string(),
  daysUntilOverdue: z.int(),
  overdueAmount: decimal,
  isInArrears: z.boolean(),
  previousBucket: nullableText,
  transitionReason: nullableText,
  oldestOverdueInstalmentId: nullableText,
  updatedAt: nullableText,
});

/** What a command has done. */
export const posted = z.object({
  ...ofLoan,
  transactionId: z.string(),
  transaction: z.nullable(ledgerTransaction),
  feeTransactionId: nullableText.check(z.meta({ description: 'Of a disbursement: the establishment fee' })),
  allocation: z.nullable(
    z.object({
      fees: z.nullable(decimal),
      principal: z.nullable(decimal),
      overpayment: z.nullable(decimal),
      instalments: z.array(
        z.object({
          paymentNumber: z.int(),
          amountApplied: decimal,
          status: z.string(),
          amountRemaining: decimal,
          dueOn: z.nullable(calendarDay),
          scheduledAmount: decimal,
        }),
      ),
      warning: nullableText,
    }),
  ),
});

// What is sent ------------------------------------------------------------------------------------------------------

const amountText = z.string('expected decimal text').check(
  z.refine(
    (text) => /^\d{1,13}(\.\d{1,4})?$/.test(text) && /[1-9]/.test(text),
    'expected a positive decimal',
  ),
  z.meta({
    description: 'No more decimals than the currency of the loan has',
    pattern: '^(?=.*[1-9])[0-9]{1,13}(\\.[0-9]{1,4})?$',
  }),
);
const deltaText = z.string('expected decimal text').check(
  z.refine((text) => /^-?\d{1,13}(\.\d{1,4})?$/.test(text), 'expected a decimal'),
  z.meta({ pattern: '^-?[0-9]{1,13}(\\.[0-9]{1,4})?$' }),
);
const currencyAsked = z.nullish(
  z
    .string()
    .check(
      z.regex(/^[A-Z]{3}$/, 'expected ISO 4217'),
      z.meta({ description: "Another one than the loan's is refused" }),
    ),
);
const masked = z.pipe(reason, z.transform(maskCardText));
/** No control characters, no white space at its ends. */
const name = (limit: number) => {
  const { pattern } = identifierMeta(limit);
  return z.string().check(
    z.refine(
      (text) => text.length <= limit && new RegExp(pattern, 'u').test(text),
      `expected a text of 1 to ${limit} characters`,
    ),
    z.meta(identifierMeta(limit)),
  );
};

export const repaymentAsked = z.object({
  amount: amountText,
  currency: currencyAsked,
  paymentMethod: z.nullish(name(100)),
  reference: z.nullish(name(255)),
  notes: z.nullish(masked),
  targetInstalment: z.nullish(z.int().check(z.gte(1), z.lte(10_000))),
  scheduleId: z.nullish(name(200)),
});
export const lateFeeAsked = z.object({
  amount: amountText,
  currency: currencyAsked,
  daysPastDue: z.int().check(z.gte(0), z.lte(99_999)),
  reason: z.nullish(masked),
});
export const dishonourFeeAsked = z.object({
  amount: amountText,
  currency: currencyAsked,
  reason: z.nullish(masked),
  reference: z.nullish(name(255)),
});
export const waiverAsked = z.object({
  fees: z
    .array(z.object({ amount: amountText, transactionId: z.nullish(name(200)) }))
    .check(
      z.minLength(1),
      z.maxLength(50),
      z.meta({ description: 'Waived together or not at all; `transactionId` is that of the fee' }),
    ),
  currency: currencyAsked,
  reason: masked,
});
export const writeOffAsked = z.object({
  amount: z.nullish(amountText.check(z.meta({ description: 'All that is owed unless told' }))),
  currency: currencyAsked,
  reason: masked,
});
export const adjustmentAsked = z.object({
  principalDelta: deltaText,
  feeDelta: deltaText,
  currency: currencyAsked,
  reason: masked,
});
export const disbursementAsked = z.object({
  amount: amountText,
  currency: currencyAsked,
  bankReference: name(255),
  paymentMethod: name(100),
  attachmentLocation: z.nullish(name(1000)),
  reason: masked,
});

/** What moves money is done once under it. */
export const requiredKey = z.object({
  'idempotency-key': z.string().check(
    z.meta({
      description: 'One for each intent: under it the command is done once, however often it is sent',
      pattern: '^[!-~]{1,255}$',
    }),
  ),
});

// Four eyes ---------------------------------------------------------------------------------------------------------

const facts = z.object({
  version: z.string(),
  currency,
  principal: decimal,
  fees: decimal,
  totalOutstanding: decimal,
});

export const approvalRequest = z.object({
  id: uuid,
  kind: z.enum(limitedKinds),
  status: z.enum(requestStatuses),
  accountId: z.string(),
  customerId: nullableText,
  amount: decimal,
  currency,
  reason: z.string(),
  command: z.record(z.string(), z.unknown()),
  facts,
  decidedFacts: z.nullable(facts),
  requestedBy: z.string(),
  requestedAt: instant,
  expiresAt: instant,
  decidedBy: nullableText,
  decidedAt: z.nullable(instant),
  decisionNote: nullableText,
  settledAt: z.nullable(instant),
  transactionId: nullableText,
  failure: z.nullable(z.object({ code: z.string(), message: z.string() })),
});

export const approvalRequestWhole = z.extend(approvalRequest, {
  present: z
    .nullable(facts)
    .check(z.meta({ description: 'The loan now, while the request waits; null when the ledger is away' })),
  changed: z
    .nullable(z.boolean())
    .check(z.meta({ description: 'Whether the loan has changed since it was asked for' })),
});

export const approval = z.object({
  comment: z.nullish(masked),
  loanVersion: z.nullish(
    z.string().check(
      z.refine((text) => text.length <= 200, 'expected at most 200 characters'),
      z.meta({
        description: 'The `present.version` that was looked at, where the loan has changed',
        maxLength: 200,
      }),
    ),
  ),
});
export const rejection = z.object({ comment: masked });
export const cancellation = z.object({ comment: z.nullish(masked) });

export const approvalLimit = z.object({
  role: z.string(),
  kind: z.enum(limitedKinds),
  currency,
  amount: decimal,
  setBy: z.string(),
  changedAt: instant,
});
export const limitSet = z.object({
  amount: z.string('expected decimal text').check(
    z.refine((text) => /^\d{1,13}(\.\d{1,4})?$/.test(text), 'expected a decimal'),
    z.meta({ pattern: '^[0-9]{1,13}(\\.[0-9]{1,4})?$' }),
  ),
});
