// The heartbeats table as the reads see it; the migrations are the definition.

import { boolean, jsonb, pgSchema, primaryKey, text, timestamp } from 'drizzle-orm/pg-core';

const schema = pgSchema('operations');

export const heartbeats = schema.table(
  'heartbeats',
  {
    process: text('process').notNull(),
    instance: text('instance').notNull(),
    healthy: boolean('healthy').notNull(),
    detail: jsonb('detail').$type<Record<string, unknown>>().notNull(),
    beatAt: timestamp('beat_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.process, table.instance] })],
);
