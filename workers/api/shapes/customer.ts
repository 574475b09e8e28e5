// Customers, what is found of them and what happened with them, as they are answered.

import * as z from 'zod/mini';
import { instalment, lastPayment } from './loans.ts';
import { note } from './notes.ts';
import { currency, decimal, instant } from './values.ts';

const text = z.nullable(z.string());
const sum = { amount: z.nullable(decimal), currency: z.nullable(currency) };
const counted = <S extends z.ZodMiniType>(latest: S) =>
  z.object({ count: z.int(), latest: z.nullable(latest) });

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
  notes: z.array(note),
});

/** How near what was found is to what was looked for. */
const found = {
  match: z.enum(['exact', 'beginning', 'alike']),
  matchedBy: z.enum([
    ...(['id', 'accountNumber', 'paymentReference', 'applicationNumber', 'phone', 'email', 'name'] as const),
  ]),
  score: z.number(),
};

/** In lists; where something was looked for, with how near it is. */
export const listedCustomer = z.object({
  customerId: z.string(),
  cif: text,
  fullName: text,
  emailAddress: text,
  mobilePhoneNumber: text,
  dateOfBirth: text,
  verified: z.boolean(),
  toldAt: z.nullable(instant),
  loans: z.int(),
  daysPastDue: z.nullable(z.int()),
  ...z.partial(z.object(found)).shape,
});

export const foundThing = z.object({
  kind: z.enum(['customer', 'account', 'payment', 'conversation', 'application']),
  id: z.string(),
  number: text,
  status: text,
  customerId: text,
  fullName: text,
  ...found,
});

export const timelineEntry = z.object({
  eventId: z.string(),
  kind: z.enum([
    ...(['customer', 'application', 'conversation', 'assessment', 'decision', 'account'] as const),
    ...(['schedule', 'payment', 'approval', 'notification', 'statement', 'collection'] as const),
  ]),
  type: z.string(),
  title: z.string(),
  at: z.nullable(instant),
  about: z.object({ kind: z.string(), id: z.string() }),
  author: text,
  words: text,
});
