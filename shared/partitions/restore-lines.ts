// Puts exported payments back into the payments table, with the rights of its owner. References never left, so nothing
// else is needed.

import { note } from '../audit/note.ts';
import type { Database, TransactionalDatabase } from '../database.ts';
import type { Manifest } from './export.ts';
import { patiently } from './patiently.ts';
import { addMonth, insertLines, paymentColumns } from './store.ts';

/** Columns of the export that the table does not have (any more). Throws DatabaseFault. */
export async function missingColumns(db: Database, manifest: Manifest): Promise<string[]> {
  const known = new Set((await paymentColumns(db)).map(({ name }) => name));
  return manifest.columns.map(({ name }) => name).filter((name) => !known.has(name));
}

/** All batches or none. Answers how many payments it put back; those that were there stay as they are. */
export async function restoreLines(
  db: TransactionalDatabase,
  manifest: Manifest,
  batches: AsyncIterable<string[]>,
  pause: (ms: number) => Promise<void>,
): Promise<number> {
  await patiently((lockTimeoutMs) => addMonth(db, manifest.month, false, lockTimeoutMs), pause);
  const columns = manifest.columns.map(({ name }) => name);
  return db.transaction(async (tx) => {
    let restored = 0;
    for await (const lines of batches) restored += await insertLines(tx, columns, lines);
    const subject = { kind: 'export', id: manifest.name };
    await note(tx, { action: 'export.restored', subject, details: { restored } });
    return restored;
  });
}
