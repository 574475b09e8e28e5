// The outbox table as the reads see it; the migrations are the definition.

import { bigint, pgSchema, text, timestamp, uuid } from 'drizzle-orm/pg-core';

const schema = pgSchema('outbox');

export const messages = schema.table('messages', {
  destination: text('destination').notNull(),
  position: bigint('position', { mode: 'bigint' }).generatedAlwaysAsIdentity(),
  topic: text('topic').notNull(),
  key: text('key').notNull(),
  eventId: uuid('event_id').notNull(),
  payload: text('payload').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
});
