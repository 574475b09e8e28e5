// Quarantined rows as staff see them: every field as it is staged, what is wrong with it, and what was done to it.

import { and, asc, desc, eq, lt, sql } from 'drizzle-orm';
import { paymentStaging, stagingChanges } from '../../drizzle/schema/payments.ts';
import { type Database, tables } from '../database.ts';
import { utc } from './page.ts';

/** The most characters that are shown of a text; nothing limits what an ETL leaves. */
const shownCharacters = 65_537;
const bounded = (column: Parameters<typeof sql.join>[0][number]) =>
  sql<string | null>`left(${column}::text, ${sql.raw(String(shownCharacters))})`;

const columns = {
  id: sql<string>`${paymentStaging.id}::text`,
  reason: paymentStaging.reason,
  /** JSON text: [{field, code, message}]. */
  faults: sql<string | null>`${paymentStaging.faults}::text`,
  referenceNumber: bounded(sql`${paymentStaging.referenceNumber}`),
  loanAccountNumber: bounded(sql`${paymentStaging.loanAccountNumber}`),
  cif: bounded(sql`${paymentStaging.cif}`),
  amount: bounded(sql`${paymentStaging.amount}`),
  currency: bounded(sql`${paymentStaging.currency}`),
  /** A time of the business zone; also 'infinity', and years before and after ours. */
  paymentDate: sql<string | null>`case when isfinite(${paymentStaging.paymentDate})
    then to_char(${paymentStaging.paymentDate}, 'FMYYYY-MM-DD"T"HH24:MI:SS.MS') ||
      case when ${paymentStaging.paymentDate} < '0001-01-01' then ' BC' else '' end
    else ${paymentStaging.paymentDate}::text end`,
  paymentChannel: bounded(sql`${paymentStaging.paymentChannel}`),
  /** JSON text, of whatever type. */
  metadata: bounded(sql`${paymentStaging.metadata}`),
  /** A time of the business zone. */
  processedAt: sql<string>`to_char(${paymentStaging.processedAt}, 'YYYY-MM-DD"T"HH24:MI:SS.MS')`,
};

export type QuarantinedRow = Awaited<ReturnType<typeof readQuarantined>>['rows'][number];

/** The latest staged first. `after` is the id of the row where the last page ended. */
export async function readQuarantined(
  db: Database,
  filter: { reason?: string | undefined; id?: string },
  after: string | undefined,
  limit: number,
) {
  const rows = await tables(db)
    .select(columns)
    .from(paymentStaging)
    .where(
      and(
        eq(paymentStaging.outcome, 'quarantined'),
        filter.reason === undefined ? undefined : eq(paymentStaging.reason, filter.reason),
        filter.id === undefined ? undefined : eq(paymentStaging.id, BigInt(filter.id)),
        after === undefined ? undefined : lt(paymentStaging.id, BigInt(after)),
      ),
    )
    .orderBy(desc(paymentStaging.id))
    .limit(limit + 1);
  return { rows: rows.slice(0, limit), next: rows.length > limit ? rows[limit - 1]?.id : undefined };
}

/** What staff did to a row, the first first. */
export const readStagingChanges = (db: Database, id: string) =>
  tables(db)
    .select({
      kind: stagingChanges.kind,
      /** JSON text: columns by name. */
      before: sql<string | null>`${stagingChanges.before}::text`,
      after: sql<string | null>`${stagingChanges.after}::text`,
      note: stagingChanges.note,
      actor: stagingChanges.actor,
      changedAt: utc(stagingChanges.changedAt, 'MS'),
    })
    .from(stagingChanges)
    .where(eq(stagingChanges.stagingId, BigInt(id)))
    .orderBy(asc(stagingChanges.id))
    .limit(1_000);
