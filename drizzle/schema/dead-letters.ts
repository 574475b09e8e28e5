// The dead letters' table as the reads see it; the migrations are the definition.

import { jsonb, pgSchema, text, timestamp, uuid } from 'drizzle-orm/pg-core';

const schema = pgSchema('servicing');

export const deadLetters = schema.table('dead_letters', {
  id: uuid('id').primaryKey(),
  source: text('source').notNull(),
  entryId: text('entry_id').notNull(),
  eventId: text('event_id'),
  type: text('type'),
  fields: jsonb('fields').$type<Record<string, string>>().notNull(),
  reason: text('reason').notNull(),
  stack: text('stack'),
  status: text('status').$type<'waiting' | 'replayed' | 'discarded'>().notNull(),
  decidedBy: text('decided_by'),
  decidedReason: text('decided_reason'),
  decidedAt: timestamp('decided_at', { withTimezone: true }),
  buriedAt: timestamp('buried_at', { withTimezone: true }).notNull(),
});
