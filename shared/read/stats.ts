// What staging has done since a business day began, and what waits for people. One statement; it never writes.

import { and, eq, gte, sql } from 'drizzle-orm';
import { paymentConflicts, paymentStaging, stagingProcessLog } from '../../drizzle/schema/payments.ts';
import { calendarDate, parseInstant } from '../calendar-date.ts';
import { type Database, tables } from '../database.ts';

interface StagingStats {
  pending: number;
  /** Rows of the batches that were completed since then, by how they ended. */
  rows: Record<'recorded' | 'duplicate' | 'conflict' | 'quarantined', number>;
  /** Of those batches; null when there was none. */
  averageBatchMs: number | null;
  /** Of all workers together, over the last minute. */
  rowsPerSecond: number;
}
export interface Stats {
  staging: StagingStats;
  openConflicts: number;
}

/** When the business day of `now` began. */
export function dayBegan(now: Date, timeZone: string): Date {
  const began = parseInstant(calendarDate(now, timeZone), timeZone);
  if (!began) throw new Error('the day of an instant has a beginning');
  return began;
}

const log = stagingProcessLog;

export async function readStats(db: Database, since: Date): Promise<Stats> {
  const [row] = await tables(db)
    .select({
      pending: sql<string>`(select count(*) from ${paymentStaging} where ${paymentStaging.processed} is not true)`,
      openConflicts: sql<string>`(select count(*) from ${paymentConflicts} where ${paymentConflicts.status} = 'open')`,
      total: sql<string>`coalesce(sum(${log.totalRecords}), 0)`,
      recorded: sql<string>`coalesce(sum(${log.processedRecords}), 0)`,
      duplicate: sql<string>`coalesce(sum(${log.duplicateRecords}), 0)`,
      quarantined: sql<string>`coalesce(sum(${log.errorRecords}), 0)`,
      averageBatchMs: sql<
        string | null
      >`round(avg(extract(epoch from ${log.completedAt} - ${log.startedAt})) * 1000, 1)`,
      rowsPerSecond: sql<string>`(select round(coalesce(sum(${log.totalRecords}), 0) / 60.0, 1) from ${log}
        where ${log.status} = 'completed' and ${log.completedAt} > now() - interval '1 minute')`,
    })
    .from(log)
    .where(and(eq(log.status, 'completed'), gte(log.completedAt, since)));
  if (!row) throw new Error('an aggregate has one row');
  const [total, recorded, duplicate, quarantined] = [
    row.total,
    row.recorded,
    row.duplicate,
    row.quarantined,
  ].map(Number) as [number, number, number, number];
  return {
    staging: {
      pending: Number(row.pending),
      // What the log does not name is what came again with other facts.
      rows: { recorded, duplicate, conflict: total - recorded - duplicate - quarantined, quarantined },
      averageBatchMs: row.averageBatchMs === null ? null : Number(row.averageBatchMs),
      rowsPerSecond: Number(row.rowsPerSecond),
    },
    openConflicts: Number(row.openConflicts),
  };
}
