// The only SQL of partition maintenance. The functions it calls own the tables; nothing here may change one otherwise.

import type { Database } from '../database.ts';
import type { DropOutcome, ExportedRow, ExportTotals } from './export.ts';
import type { Month } from './month.ts';

/** `hasRows`: some of its payments lie in the default partition. */
export const monthsToAdd = (
  db: Database,
  now: Date,
  monthsAhead: number,
): Promise<Array<{ month: Month; hasRows: boolean }>> =>
  db.query('select month::text as month, has_rows as "hasRows" from payment_service.months_to_add($1, $2)', [
    now.toISOString(),
    monthsAhead,
  ]);

/** A payment's place in the order of the primary key. */
export type Place = Pick<ExportedRow, 'id' | 'paymentDate'>;

/** Copies payments after the place, from the first without one; answers the last place, or none at the end. */
export async function copyMonth(
  db: Database,
  month: Month,
  after: Place | undefined,
  most: number,
  lockTimeoutMs: number,
): Promise<Place | undefined> {
  const [row] = await db.query<Place>(
    'select id, payment_date as "paymentDate" from payment_service.copy_month($1, $2, $3, $4, $5)',
    [month, after?.id ?? null, after?.paymentDate ?? null, most, lockTimeoutMs],
  );
  return row;
}

/** How many rows it moved, or null when the month had its partition. `copied`: copyMonth has come to its end. */
export async function addMonth(
  db: Database,
  month: Month,
  copied: boolean,
  lockTimeoutMs: number,
): Promise<number | null> {
  const [row] = await db.query<{ moved: string | null }>(
    'select payment_service.add_month($1, $2, $3) as moved',
    [month, copied, lockTimeoutMs],
  );
  return row!.moved === null ? null : Number(row!.moved);
}

/** The months with a partition, oldest first. */
export async function partitionedMonths(db: Database): Promise<Month[]> {
  const rows = await db.query<{ month: Month }>(
    'select month::text as month from payment_service.payment_months m order by m.month',
  );
  return rows.map(({ month }) => month);
}

/** How often the month has been exported and dropped. */
export async function timesExported(db: Database, month: Month): Promise<number> {
  const [row] = await db.query<{ times: string }>(
    'select count(*) as times from payment_service.exported_months where month = $1',
    [month],
  );
  return Number(row!.times);
}

export const paymentColumns = (db: Database): Promise<Array<{ name: string; type: string }>> =>
  db.query('select name, type from payment_service.payment_columns()');

export async function schemaVersion(db: Database): Promise<number> {
  const [row] = await db.query<{ version: string }>('select payment_service.schema_version() as version');
  return Number(row!.version);
}

export const exportedRows = (
  db: Database,
  month: Month,
  after: Place,
  most: number,
): Promise<ExportedRow[]> =>
  db.query<ExportedRow>(
    `select id, payment_date as "paymentDate", line, hash, amount, currency
     from payment_service.export_payments($1, $2, $3, $4)`,
    [month, after.id, after.paymentDate, most],
  );

export async function dropMonth(
  db: Database,
  month: Month,
  exported: { name: string } & ExportTotals,
  lockTimeoutMs: number,
): Promise<DropOutcome> {
  const [row] = await db.query<{ outcome: DropOutcome }>(
    'select payment_service.drop_month($1, $2, $3, $4, $5) as outcome',
    [month, exported.name, exported.rows, exported.digest, lockTimeoutMs],
  );
  return row!.outcome;
}

/** Puts lines of an export back, as the table's owner; a payment that is there stays as it is. Answers how many were put. */
export async function insertLines(
  db: Database,
  columns: readonly string[],
  lines: readonly string[],
): Promise<number> {
  const names = columns.map((name) => `"${name}"`).join(', ');
  const put = await db.query(
    `insert into payment_service.payments (${names})
     select ${columns.map((name) => `p."${name}"`).join(', ')}
     from unnest($1::text[]) as line,
          json_populate_record(null::payment_service.payments, line::json) as p
     on conflict do nothing
     returning 1`,
    [lines],
  );
  return put.length;
}
