// A customer as they are answered.

import * as z from 'zod/mini';
import { calendarDay, currency, decimal, instant } from './values.ts';

const text = z.nullable(z.string());
const sum = { amount: z.nullable(decimal), currency: z.nullable(currency) };
const counted = <S extends z.ZodMiniType>(latest: S) =>
  z.object({ count: z.int(), latest: z.nullable(latest) });

const instalment = z.object({
  paymentNumber: z.int(),
  dueOn: z.nullable(calendarDay),
  ...sum,
  state: z.enum(['paid', 'missed', 'partial', 'scheduled']),
  status: text,
  paidAmount: decimal,
  receivedAmount: decimal,
});

const lastPayment = z.object({
  at: instant,
  ...sum,
  source: z.enum(['account', 'processed', 'received']),
  reference: text,
});

const loan = z.object({
  accountId: z.string(),
  accountNumber: text,
  role: z.string(),
  status: text,
  currency: z.nullable(currency),
  currentBalance: z.nullable(decimal),
  arrearsAmount: z.nullable(decimal),
  daysPastDue: z.nullable(z.int()),
  missedInstalments: z.int(),
  nextInstalment: z.nullable(instalment),
  lastPayment: z.nullable(lastPayment),
});

const conversation = z.object({
  conversationId: z.string(),
  channel: text,
  status: text,
  startedAt: z.nullable(instant),
  lastMessageAt: z.nullable(instant),
  summary: text,
});

const approval = z.object({
  requestId: z.string(),
  kind: text,
  accountId: text,
  ...sum,
  requestedBy: text,
  requestedAt: z.nullable(instant),
});

const collectionCase = z.object({
  caseId: z.string(),
  accountId: text,
  status: text,
  step: z.nullable(z.int()),
  stopContact: z.boolean(),
  openedAt: z.nullable(instant),
});

const payment = z.object({
  at: instant,
  ...sum,
  source: z.enum(['processed', 'received']),
  reference: text,
  accountId: z.string(),
  accountNumber: text,
});

export const customer = z.object({
  customerId: z.string(),
  ids: z.array(z.string()),
  cif: text,
  identifiers: z.array(z.object({ type: z.string(), value: z.string() })),
  erased: z.boolean(),
  firstName: text,
  lastName: text,
  fullName: text,
  emailAddress: text,
  mobilePhoneNumber: text,
  dateOfBirth: text,
  ekycStatus: text,
  verified: z.boolean(),
  verifiedAt: z.nullable(instant),
  /** As it was told. */
  residentialAddress: z.unknown(),
  mailingAddress: z.unknown(),
  flags: z.object({
    hardship: z.boolean(),
    stopContact: z.boolean(),
    writtenOff: z.boolean(),
    merged: z.boolean(),
  }),
  loans: z.array(loan),
  arrears: z.array(z.object({ ...sum, accounts: z.int(), daysPastDue: z.int() })),
  lastPayments: z.array(payment),
  conversations: counted(conversation),
  recentConversations: z.array(conversation),
  applications: counted(
    z.object({
      applicationNumber: z.string(),
      status: text,
      loanAmount: z.nullable(decimal),
      currency: z.nullable(currency),
      submittedAt: z.nullable(instant),
      decision: text,
    }),
  ),
  notifications: counted(
    z.object({
      notificationId: z.string(),
      kind: text,
      channel: text,
      template: text,
      status: text,
      at: z.nullable(instant),
    }),
  ),
  openApprovals: counted(approval),
  openRequests: z.array(approval),
  cases: counted(collectionCase),
  openCases: z.array(collectionCase),
});
