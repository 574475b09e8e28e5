// Customers and loans as the paths without a version answer them.

import * as z from 'zod/mini';
import { calendarDay, currency, exactNumber, instant } from './values.ts';

const text = z.nullable(z.string());
const number = z.nullable(exactNumber);

export const unversionedCustomer = z.object({
  customerId: z.string(),
  cif: text,
  firstName: text,
  lastName: text,
  fullName: text,
  emailAddress: text,
  mobilePhoneNumber: text,
  dateOfBirth: text,
  ekycStatus: text,
  verified: z.boolean(),
  /** As it was told. */
  residentialAddress: z.unknown(),
  mailingAddress: z.unknown(),
});

export const unversionedLoan = z.object({
  accountId: z.string(),
  accountNumber: text,
  customerId: text,
  status: text,
  currency: z.nullable(currency),
  loanAmount: number,
  currentBalance: number,
  arrearsAmount: number,
  daysPastDue: z.nullable(z.int()),
  agingBucket: text,
  openedAt: z.nullable(instant),
  closedAt: z.nullable(instant),
});

export const unversionedLoanWhole = z.extend(unversionedLoan, {
  loanFee: number,
  loanTotalPayable: number,
  lastPaymentAt: z.nullable(instant),
  lastPaymentAmount: number,
  schedule: z.nullable(
    z.object({
      scheduleId: z.string(),
      loanAmount: number,
      totalAmount: number,
      fee: number,
      nPayments: z.nullable(z.int()),
      paymentFrequency: text,
      payments: z.array(
        z.object({
          paymentNumber: z.int(),
          dueDate: z.nullable(calendarDay),
          amount: number,
          status: z.enum(['paid', 'missed', 'partial', 'scheduled']),
        }),
      ),
    }),
  ),
});

export const unversionedLoanFound = z.object({
  accountId: z.string(),
  accountNumber: text,
  status: text,
  customerId: text,
  fullName: text,
});

export const unversionedConversationFound = z.object({
  conversationId: z.string(),
  status: text,
  customerId: text,
  fullName: text,
});
