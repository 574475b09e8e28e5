// Reads what an export of a month needs: which months are due, the rows in batches, what the manifest says of the table.

import type { Database } from '../database.ts';
import type { ExportedRow, Manifest } from './export.ts';
import { type Month, mayGo } from './month.ts';
import { exportedRows, partitionedMonths, paymentColumns, schemaVersion, timesExported } from './store.ts';

/** The months that ended `kept` months ago or earlier and still have a partition, oldest first. Throws DatabaseFault. */
export const monthsToExport = async (db: Database, now: Date, kept: number): Promise<Month[]> =>
  (await partitionedMonths(db)).filter((month) => mayGo(month, now, kept));

/** Which export of the month the next one is, from 1. Throws DatabaseFault. */
export const nextExport = async (db: Database, month: Month): Promise<number> =>
  (await timesExported(db, month)) + 1;

/** Throws DatabaseFault. */
export async function describePayments(db: Database): Promise<Pick<Manifest, 'columns' | 'schemaVersion'>> {
  return { columns: await paymentColumns(db), schemaVersion: await schemaVersion(db) };
}

/**
 * A month's payments, `most` at a time, each batch in a statement of its own. Rows that are written meanwhile may be
 * missed; whoever drops the month finds out. Throws DatabaseFault.
 */
export async function* readMonth(db: Database, month: Month, most: number): AsyncGenerator<ExportedRow[]> {
  let after = { id: '00000000-0000-0000-0000-000000000000', paymentDate: '-infinity' };
  for (;;) {
    const rows = await exportedRows(db, month, after, most);
    const last = rows.at(-1);
    if (last) yield rows;
    if (!last || rows.length < most) return;
    after = last;
  }
}
