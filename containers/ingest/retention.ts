// The job `retention`: payments of months that are old enough go to files, and only then out of the table. References
// stay, so that none of them can come in twice. Without a place for the files it does nothing.
//
//   step                                          killed after it, the next run
//   remove what is unfinished, write the export   begins the month again
//   sync, read back, give it its name             finds the export, reads it again and goes on with it
//   lock, compare, detach, drop, note: one        finds no such month
//   transaction
//
// An export whose rows are not those of the table (any more) is set aside, never deleted.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dropExportedMonth } from '../../shared/partitions/drop-exported-month.ts';
import type { ExportedRow, Manifest } from '../../shared/partitions/export.ts';
import { exportName, type Month } from '../../shared/partitions/month.ts';
import {
  describePayments,
  monthsToExport,
  nextExport,
  readMonth,
} from '../../shared/partitions/read-month.ts';
import { type Job, type JobContext, JobFault } from '../jobs.ts';
import { exportExists, setAside, verifyExport, writeExport } from './export-files.ts';

export interface RetentionSettings {
  keptMonths: number;
  exportFolder: string | undefined;
}

const rowsAtOnce = 2_000;
/** A month whose rows keep changing is left for the next run. */
const attemptsPerMonth = 3;

export const retention =
  ({ keptMonths, exportFolder }: RetentionSettings): Job =>
  async (context) => {
    const { db, now, progress } = context;
    const months = await monthsToExport(db, now, keptMonths);
    const done = { months_due: months.length, months_dropped: 0, rows_exported: 0 };
    if (exportFolder === undefined) return { ...done, off: 'RETENTION_EXPORT_FOLDER is not set' };
    for (const month of months) {
      let rows = 0;
      const onRows = async (count: number) => {
        rows += count;
        await progress({ ...done, rows_exported: done.rows_exported + rows, month });
      };
      if (await letGo(context, exportFolder, month, onRows)) done.months_dropped += 1;
      done.rows_exported += rows;
    }
    return done;
  };

/** Answers whether this call dropped the month. */
async function letGo(
  context: JobContext,
  folder: string,
  month: Month,
  onRows: (count: number) => Promise<void>,
): Promise<boolean> {
  const { db, signal } = context;
  const name = exportName(month, await nextExport(db, month));
  for (let attempt = 1; attempt <= attemptsPerMonth; attempt++) {
    const exported =
      (await earlierExport(context, folder, name)) ??
      (await writeExport(
        folder,
        { name, month, exportedAt: new Date().toISOString(), ...(await describePayments(db)) },
        watched(readMonth(db, month, rowsAtOnce), signal, onRows),
      ));
    signal.throwIfAborted();
    const outcome = await dropExportedMonth(db, exported, (ms) => sleep(ms, undefined, { signal }));
    if (outcome !== 'changed') return outcome === 'dropped';
    await setAside(folder, name, context.now);
  }
  throw new JobFault(`the payments of ${month.slice(0, 7)} change while they are exported`);
}

/** What an earlier run has finished but not used, when it is still good. */
async function earlierExport(
  { now }: JobContext,
  folder: string,
  name: string,
): Promise<Manifest | undefined> {
  if (!(await exportExists(folder, name))) return undefined;
  const verified = await verifyExport(join(folder, name));
  if (verified.ok) return verified.value;
  await setAside(folder, name, now);
  return undefined;
}

async function* watched(
  batches: AsyncIterable<ExportedRow[]>,
  signal: AbortSignal,
  onRows: (count: number) => Promise<void>,
): AsyncGenerator<ExportedRow[]> {
  for await (const batch of batches) {
    signal.throwIfAborted();
    await onRows(batch.length);
    yield batch;
  }
}
