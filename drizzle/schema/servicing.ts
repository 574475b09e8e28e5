// The servicing slice's tables as the reads see them; the migrations are the definition. Statements that derive
// something from several tables are written in SQL, in shared/read/.

import { jsonb, pgSchema, text, timestamp } from 'drizzle-orm/pg-core';

const schema = pgSchema('servicing');

export const conversations = schema.table('conversations', {
  conversationId: text('conversation_id').notNull(),
  customerId: text('customer_id'),
  applicationNumber: text('application_number'),
  accountId: text('account_id'),
  status: text('status'),
  channel: text('channel'),
  startedAt: timestamp('started_at', { withTimezone: true }),
  lastMessageAt: timestamp('last_message_at', { withTimezone: true }),
  summary: text('summary'),
  decision: text('decision'),
  decidedAt: timestamp('decided_at', { withTimezone: true }),
});

export const conversationEntries = schema.table('conversation_entries', {
  conversationId: text('conversation_id').notNull(),
  eventId: text('event_id').notNull(),
  kind: text('kind', {
    enum: ['utterance', 'summary', 'assessment', 'application', 'decision', 'noticeboard'],
  }).notNull(),
  version: text('version').notNull(),
  saidAt: timestamp('said_at', { withTimezone: true }),
  author: text('author'),
  content: text('content'),
  detail: jsonb('detail'),
});
