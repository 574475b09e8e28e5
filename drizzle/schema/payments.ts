// The payments slice's tables as the reads see them; the migrations are the definition.

import {
  bigserial,
  boolean,
  char,
  date,
  integer,
  numeric,
  pgSchema,
  pgTable,
  text,
  timestamp,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core';

const schema = pgSchema('payment_service');

const version = {
  namespace: text('namespace').notNull(),
  referenceNumber: varchar('reference_number', { length: 255 }).notNull(),
  loanAccountNumber: varchar('loan_account_number', { length: 20 }).notNull(),
  cif: varchar('cif', { length: 20 }).notNull(),
  amount: numeric('amount', { precision: 19, scale: 4 }).notNull(),
  currency: char('currency', { length: 3 }).notNull(),
  paymentDate: timestamp('payment_date', { withTimezone: true }).notNull(),
  paidOn: date('paid_on').notNull(),
  paymentChannel: varchar('payment_channel', { length: 100 }).notNull(),
  source: varchar('source', { length: 50 }).notNull(),
  /** jsonb; read it as text and parse it exactly. */
  metadata: text('metadata').notNull(),
  actor: text('actor').notNull(),
};

export const payments = schema.table('payments', {
  id: uuid('id').notNull(),
  ...version,
  linkedPaymentId: uuid('linked_payment_id'),
  requiresReceipt: boolean('requires_receipt').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
});

export const paymentReferences = schema.table('payment_references', {
  namespace: text('namespace').notNull(),
  referenceNumber: varchar('reference_number', { length: 255 }).notNull(),
  paymentId: uuid('payment_id').notNull(),
  amount: numeric('amount', { precision: 19, scale: 4 }).notNull(),
  currency: char('currency', { length: 3 }).notNull(),
  reversed: numeric('reversed', { precision: 19, scale: 4 }).notNull(),
});

export const paymentReversals = schema.table('payment_reversals', {
  id: uuid('id').notNull(),
  namespace: text('namespace').notNull(),
  referenceNumber: varchar('reference_number', { length: 255 }).notNull(),
  reversalReference: varchar('reversal_reference', { length: 255 }).notNull(),
  amount: numeric('amount', { precision: 19, scale: 4 }),
  currency: char('currency', { length: 3 }),
  reason: text('reason').notNull(),
  occurredAt: timestamp('occurred_at', { withTimezone: true }).notNull(),
  source: varchar('source', { length: 50 }).notNull(),
  actor: text('actor').notNull(),
  status: text('status', { enum: ['held', 'applied', 'refused'] }).notNull(),
  refusal: text('refusal', { enum: ['exceeds_payment', 'nothing_left', 'other_currency'] }),
  paymentId: uuid('payment_id'),
  appliedAmount: numeric('applied_amount', { precision: 19, scale: 4 }),
  reversedTotal: numeric('reversed_total', { precision: 19, scale: 4 }),
  settledAt: timestamp('settled_at', { withTimezone: true }),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
});

export const paymentConflicts = schema.table('payment_conflicts', {
  id: uuid('id').notNull(),
  paymentId: uuid('payment_id').notNull(),
  ...version,
  timesSeen: integer('times_seen').notNull(),
  firstSeenAt: timestamp('first_seen_at', { withTimezone: true }).notNull(),
  lastSeenAt: timestamp('last_seen_at', { withTimezone: true }).notNull(),
  status: text('status', { enum: ['open', 'accepted', 'dismissed'] }).notNull(),
  decidedBy: text('decided_by'),
  decidedAt: timestamp('decided_at', { withTimezone: true }),
  reason: text('reason'),
  acceptedPaymentId: uuid('accepted_payment_id'),
});

export const paymentNotices = schema.table('payment_notices', {
  id: uuid('id').notNull(),
  channel: text('channel').notNull(),
  noticeReference: varchar('notice_reference', { length: 255 }).notNull(),
  subject: text('subject').notNull(),
  payload: text('payload').notNull(),
  standing: boolean('standing').notNull(),
  status: text('status', { enum: ['waiting', 'done', 'failed'] }).notNull(),
  attempts: integer('attempts').notNull(),
  nextTryAt: timestamp('next_try_at', { withTimezone: true }).notNull(),
  lastError: text('last_error'),
  timesSeen: integer('times_seen').notNull(),
  retriedBy: text('retried_by'),
  retriedAt: timestamp('retried_at', { withTimezone: true }),
  settledAt: timestamp('settled_at', { withTimezone: true }),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
});

export const rejectedBodies = schema.table('rejected_bodies', {
  id: uuid('id').notNull(),
  channel: text('channel').notNull(),
  body: text('body').notNull(),
  masked: boolean('masked').notNull(),
  altered: boolean('altered').notNull(),
  /** jsonb, as text. */
  refusal: text('refusal').notNull(),
  requestId: text('request_id').notNull(),
  timesSeen: integer('times_seen').notNull(),
  firstSeenAt: timestamp('first_seen_at', { withTimezone: true }).notNull(),
  lastSeenAt: timestamp('last_seen_at', { withTimezone: true }).notNull(),
  status: text('status', { enum: ['open', 'resent', 'dismissed'] }).notNull(),
  decidedBy: text('decided_by'),
  decidedAt: timestamp('decided_at', { withTimezone: true }),
  reason: text('reason'),
  resentBody: text('resent_body'),
});

export const paymentStaging = pgTable('payment_staging', {
  id: bigserial('id', { mode: 'bigint' }),
  referenceNumber: text('reference_number'),
  loanAccountNumber: text('loan_account_number'),
  cif: text('cif'),
  amount: numeric('amount'),
  currency: text('currency'),
  paymentDate: timestamp('payment_date', { mode: 'string' }),
  paymentChannel: text('payment_channel'),
  /** jsonb; read it as text and parse it exactly. */
  metadata: text('metadata'),
  processed: boolean('processed'),
  processedAt: timestamp('processed_at', { mode: 'string' }),
  outcome: text('outcome', { enum: ['recorded', 'duplicate', 'conflict', 'quarantined'] }),
  reason: text('reason'),
  faults: text('faults'),
});

export const stagingChanges = schema.table('staging_changes', {
  id: bigserial('id', { mode: 'bigint' }),
  stagingId: bigserial('staging_id', { mode: 'bigint' }),
  kind: text('kind', { enum: ['corrected', 'released'] }).notNull(),
  before: text('before'),
  after: text('after'),
  note: text('note'),
  actor: text('actor').notNull(),
  changedAt: timestamp('changed_at', { withTimezone: true }).notNull(),
});

export const stagingProcessLog = schema.table('staging_process_log', {
  id: uuid('id').notNull(),
  totalRecords: integer('total_records').notNull(),
  processedRecords: integer('processed_records'),
  duplicateRecords: integer('duplicate_records'),
  errorRecords: integer('error_records'),
  status: varchar('status', { length: 50 }),
  startedAt: timestamp('started_at', { withTimezone: true }),
  completedAt: timestamp('completed_at', { withTimezone: true }),
});
