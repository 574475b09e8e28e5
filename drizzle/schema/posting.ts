// Postings as the reads see them; the migrations are the definition.

import { bigint, date, integer, numeric, pgSchema, text, timestamp, uuid } from 'drizzle-orm/pg-core';

const schema = pgSchema('posting');

export const postings = schema.table('postings', {
  id: uuid('id').primaryKey(),
  position: bigint('position', { mode: 'bigint' }).generatedAlwaysAsIdentity(),
  kind: text('kind').$type<'payment' | 'reversal'>().notNull(),
  paymentId: uuid('payment_id').notNull(),
  referenceNumber: text('reference_number').notNull(),
  loanAccountNumber: text('loan_account_number').notNull(),
  accountId: text('account_id'),
  amount: numeric('amount', { precision: 19, scale: 4 }).notNull(),
  currency: text('currency').notNull(),
  effectiveOn: date('effective_on').notNull(),
  reverses: uuid('reverses'),
  reversalId: uuid('reversal_id'),
  moveId: uuid('move_id'),
  reversed: numeric('reversed', { precision: 19, scale: 4 }).notNull(),
  state: text('state').$type<'waiting' | 'pending' | 'held' | 'posted' | 'void'>().notNull(),
  heldBecause: text('held_because'),
  heldMessage: text('held_message'),
  attempts: integer('attempts').notNull(),
  nextTryAt: timestamp('next_try_at', { withTimezone: true }).notNull(),
  transferId: text('transfer_id'),
  reason: text('reason'),
  actor: text('actor').notNull(),
  matchedBy: text('matched_by'),
  matchReason: text('match_reason'),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
  decidedAt: timestamp('decided_at', { withTimezone: true }),
});
