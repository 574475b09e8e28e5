// Keyset pages: a page is read from where the last one ended, so that rows added in front never shift it.

import { type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';

/** Where a page ended: the last row's sort keys, the instant with microseconds. */
export interface PageKey {
  at: string;
  id: string;
}
export interface Page<Row> {
  rows: Row[];
  next: PageKey | undefined;
}

export const olderThan = (at: PgColumn, id: PgColumn, key: PageKey | undefined) =>
  key && sql`(${at}, ${id}) < (${key.at}::timestamptz, ${key.id}::uuid)`;

/** One row more than a page is read to know whether there is a next one. */
export function toPage<Row extends { id: string; sortedAt: string }>(
  rows: Row[],
  limit: number,
): Page<Omit<Row, 'sortedAt'>> {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    rows: rows.slice(0, limit).map(({ sortedAt: _, ...row }) => row),
    next: last && { at: last.sortedAt, id: last.id },
  };
}

/** An instant as ISO 8601 in UTC, with milli- or microseconds. */
export const utc = (column: PgColumn | SQL, digits: 'MS' | 'US') =>
  sql<string>`to_char(${column} at time zone 'UTC', ${sql.raw(`'YYYY-MM-DD"T"HH24:MI:SS.${digits}"Z"'`)})`;
