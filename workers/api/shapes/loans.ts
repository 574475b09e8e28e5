// Loans as they are answered.

import * as z from 'zod/mini';
import { calendarDay, currency, decimal, instant } from './values.ts';

const text = z.nullable(z.string());
const sum = { amount: z.nullable(decimal), currency: z.nullable(currency) };

export const instalment = z.object({
  paymentNumber: z.int(),
  dueOn: z.nullable(calendarDay),
  ...sum,
  state: z.enum(['paid', 'missed', 'partial', 'scheduled']),
  status: text,
  paidAmount: decimal,
  receivedAmount: decimal,
});

export const lastPayment = z.object({
  at: instant,
  ...sum,
  source: z.enum(['account', 'processed', 'received']),
  reference: text,
});

const standing = {
  status: text,
  currency: z.nullable(currency),
  loanAmount: z.nullable(decimal),
  currentBalance: z.nullable(decimal),
  arrearsAmount: z.nullable(decimal),
  daysPastDue: z.nullable(z.int()),
  agingBucket: text,
  openedAt: z.nullable(instant),
  closedAt: z.nullable(instant),
};

/** In lists. */
export const account = z.object({
  accountId: z.string(),
  accountNumber: text,
  customerId: text,
  fullName: text,
  ...standing,
});

export const delinquentAccount = z.extend(account, {
  missedInstalments: z.int(),
  nextInstalment: z.nullable(instalment),
  lastPayment: z.nullable(lastPayment),
});

export const wholeAccount = z.object({
  accountId: z.string(),
  accountNumber: text,
  applicationNumber: text,
  ...standing,
  loanFee: z.nullable(decimal),
  loanTotalPayable: z.nullable(decimal),
  closureReason: text,
  borrowers: z.array(
    z.object({ customerId: z.string(), survivingCustomerId: z.string(), role: z.string(), fullName: text }),
  ),
  lastPayment: z.nullable(lastPayment),
  schedule: z.nullable(
    z.object({
      scheduleId: z.string(),
      currency: z.nullable(currency),
      loanAmount: z.nullable(decimal),
      totalAmount: z.nullable(decimal),
      fee: z.nullable(decimal),
      nPayments: z.nullable(z.int()),
      paymentFrequency: text,
      scheduledAt: z.nullable(instant),
      receivedAmount: z.nullable(decimal),
      receivedBeyond: z.nullable(decimal),
      instalments: z.array(instalment),
    }),
  ),
});

export const schedule = z.object({
  accountId: z.string(),
  scheduleId: text,
  data: z.array(instalment),
  next: text,
});
