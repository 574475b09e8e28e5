// How much space the database takes, and the payments' monthly partitions. It never writes.

import { sql } from 'drizzle-orm';
import { type Database, tables } from '../database.ts';

export interface Storage {
  /** The whole database, as Postgres counts it. */
  databaseBytes: number;
  partitions: Array<{
    name: string;
    /** With indexes. */
    bytes: number;
    /** As of its last analysis; null before the first one. */
    rows: number | null;
  }>;
}

export async function readStorage(db: Database): Promise<Storage> {
  const [row] = await tables(db)
    .select({
      databaseBytes: sql<string>`pg_database_size(current_database())`,
      partitions: sql<string>`(select coalesce(json_agg(part order by part.name), '[]')::text from (
        select relname as name, coalesce(pg_total_relation_size(pg_class.oid), 0) as bytes, nullif(reltuples, -1)::bigint as rows
        from pg_inherits join pg_class on pg_class.oid = inhrelid
        where inhparent = 'payment_service.payments'::regclass) as part)`,
    })
    .from(sql`(values (1)) as one`);
  if (!row) throw new Error('the storage has one row');
  return { databaseBytes: Number(row.databaseBytes), partitions: JSON.parse(row.partitions) };
}

/** How many of the months after this one (UTC) have their partition, without a gap. */
export function monthsAhead(partitions: Iterable<{ name: string }>, now: Date): number {
  const names = new Set(Array.from(partitions, ({ name }) => name));
  const nameOf = (ahead: number) => {
    const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead));
    return `payments_${month.toISOString().slice(0, 7).replace('-', '_')}`;
  };
  let ahead = 0;
  while (names.has(nameOf(ahead + 1))) ahead += 1;
  return ahead;
}
