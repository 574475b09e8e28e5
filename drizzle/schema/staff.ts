// The staff slice's tables as the reads see them; the migrations are the definition.

import { customType, pgSchema, text, timestamp, uuid } from 'drizzle-orm/pg-core';

const schema = pgSchema('staff');
const bytea = customType<{ data: string }>({ dataType: () => 'bytea' });

export const apiKeys = schema.table('api_keys', {
  id: uuid('id').notNull(),
  prefix: text('prefix').notNull(),
  hash: bytea('hash').notNull(),
  name: text('name').notNull(),
  scopes: text('scopes').array().notNull(),
  actor: text('actor').notNull(),
  createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
  expiresAt: timestamp('expires_at', { withTimezone: true }),
  revokedAt: timestamp('revoked_at', { withTimezone: true }),
  lastUsedAt: timestamp('last_used_at', { withTimezone: true }),
});
