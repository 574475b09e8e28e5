// Puts an exported month back into the table: verified first, then all rows or none.

import { setTimeout as sleep } from 'node:timers/promises';
import type { TransactionalDatabase } from '../../shared/database.ts';
import { missingColumns, restoreLines } from '../../shared/partitions/restore-lines.ts';
import { readExport, verifyExport } from './export-files.ts';

export interface Restored {
  name: string;
  restored: number;
  /** Payments that the table had; they stay as they are. */
  wereThere: number;
}

/** `db` has the rights of the table's owner. Throws with what is wrong; safe to repeat. */
export async function restoreExport(db: TransactionalDatabase, folder: string): Promise<Restored> {
  const verified = await verifyExport(folder);
  if (!verified.ok) throw new Error(`the export is not whole: ${verified.refusal.join('; ')}`);
  const manifest = verified.value;
  const missing = await missingColumns(db, manifest);
  if (missing.length > 0) throw new Error(`the table has no column ${missing.join(', ')}`);
  const restored = await restoreLines(db, manifest, readExport(folder, manifest), (ms) => sleep(ms));
  return { name: manifest.name, restored, wereThere: manifest.rows - restored };
}
