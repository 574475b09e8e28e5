// Heartbeats and the runs of jobs as the reads see them; the migrations are the definition.

import { boolean, jsonb, pgSchema, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core';

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

export const jobRuns = schema.table('job_runs', {
  id: uuid('id').primaryKey(),
  job: text('job').notNull(),
  status: text('status').notNull(),
  requestedBy: text('requested_by'),
  requestedAt: timestamp('requested_at', { withTimezone: true }),
  startedAt: timestamp('started_at', { withTimezone: true }),
  finishedAt: timestamp('finished_at', { withTimezone: true }),
  instance: text('instance'),
  detail: jsonb('detail').$type<Record<string, unknown>>().notNull(),
  error: text('error'),
});
