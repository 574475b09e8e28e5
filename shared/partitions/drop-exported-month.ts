// Drops a month that has been exported, when its rows are still those of the export.

import type { Database } from '../database.ts';
import type { DropOutcome, ExportTotals } from './export.ts';
import type { Month } from './month.ts';
import { patiently } from './patiently.ts';
import { dropMonth } from './store.ts';

/** `gone` when it was dropped before. Throws DatabaseFault and what `pause` throws; safe to repeat. */
export const dropExportedMonth = (
  db: Database,
  exported: { name: string; month: Month } & ExportTotals,
  pause: (ms: number) => Promise<void>,
): Promise<DropOutcome> =>
  patiently((lockTimeoutMs) => dropMonth(db, exported.month, exported, lockTimeoutMs), pause);
