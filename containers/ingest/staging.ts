// Takes what is staged to the payments, for as long as its process lives: one worker for a small backlog, more while
// full batches are found. Any number of instances may run. Rows that were committed late, with ids below those that are
// done already, are found whenever the end is reached and every few seconds.

import { setTimeout as sleep } from 'node:timers/promises';
import { localTime } from '../../shared/calendar-date.ts';
import type { TransactionalDatabase } from '../../shared/database.ts';
import type { Business } from '../../shared/payments/payment-fields.ts';
import { type IngestedBatch, ingestFresh, ingestRetry } from '../../shared/staging/ingest-batch.ts';
import { backlogOf, isBacklogLeft } from '../../shared/staging/pending.ts';
import { createStagedRowReader } from '../../shared/staging/staged-row.ts';
import { closeInterrupted } from '../../shared/staging/tidy-log.ts';
import type { LoopState } from '../loop.ts';

export interface StagingOptions {
  /** With at least two connections more than there are workers. */
  db: TransactionalDatabase;
  instance: string;
  business: Business;
  /** False: nothing is taken but on demand. */
  enabled: boolean;
  batchSize: number;
  workers: number;
  maxRetries: number;
}

export type StagingTotals = Record<'recorded' | 'duplicate' | 'conflict' | 'quarantined', number>;

/** Bounds a step, and with it how long a process takes to stop. */
const batchesPerStep = 16;
const tidyEveryMs = 10_000;
/** Between looks at rows that others are working on or that wait for another attempt. */
const waitMs = 200;
const start = '0';

export function staging({ db, instance, business, enabled, batchSize, workers, maxRetries }: StagingOptions) {
  const ingest = {
    db,
    instance,
    batchSize,
    maxRetries,
    read: createStagedRowReader(business),
    wallClock: () => localTime(new Date(), business.timeZone),
  };
  const totals: StagingTotals = { recorded: 0, duplicate: 0, conflict: 0, quarantined: 0 };
  /** The highest id claimed since the last look from the start: what is done need not be read over and over. */
  let cursor = start;
  let tidiedAt = Number.NEGATIVE_INFINITY;
  let interrupted = 0;
  let lastBatchAt: string | null = null;

  /** Answers how many rows were claimed by all workers together. */
  async function round(upTo: string | undefined, told: (batch: IngestedBatch) => void): Promise<number> {
    if (performance.now() - tidiedAt > tidyEveryMs) {
      interrupted += await closeInterrupted(db);
      cursor = start;
      tidiedAt = performance.now();
    }
    let rows = 0;
    let left = batchesPerStep * workers;
    const working: Promise<void>[] = [];
    const faults: unknown[] = [];
    const startWorker = () => {
      const worker = work().catch((fault: unknown) => {
        faults.push(fault);
        left = 0;
      });
      working.push(worker);
    };
    const count = (batch: IngestedBatch) => {
      rows += batch.rows;
      for (const outcome of Object.keys(totals) as (keyof StagingTotals)[]) totals[outcome] += batch[outcome];
      if (batch.rows > 0) lastBatchAt = new Date().toISOString();
      told(batch);
    };
    const work = async () => {
      for (; left > 0; left--) {
        const after = cursor;
        const batch = await ingestFresh(ingest, { after, upTo }, (claimed) => {
          cursor = claimed.at(-1)?.id ?? cursor;
          // A full batch: there may be more than one worker's worth.
          if (claimed.length === batchSize && working.length < workers) startWorker();
        });
        count(batch);
        if (batch.rows === batchSize) continue;
        cursor = start;
        if (after === start) return;
      }
    };
    const retry = async () => {
      for (let n = 0; n < batchesPerStep; n++) {
        const batch = await ingestRetry(ingest);
        if (batch.rows === 0) return;
        count(batch);
      }
    };
    await retry();
    startWorker();
    // Also those that are added meanwhile, and when one has failed: nothing goes on behind a step's back.
    for (let n = 0; n < working.length; n++) await working[n];
    if (faults.length > 0) throw faults[0];
    return rows;
  }

  return {
    /** One bounded piece of work; answers the rows that were claimed. Throws DatabaseFault. */
    step: async (): Promise<number> => (enabled ? round(undefined, () => {}) : 0),

    /**
     * Works until the backlog of this moment is done, whoever does it and however often it has to be tried; also when
     * staging is switched off. Answers what became of the rows that were taken here, and tells of it as it grows. Throws
     * DatabaseFault; what was done stays done, and calling again does the rest.
     */
    async runNow(
      progress: (totals: StagingTotals) => void = () => {},
      signal?: AbortSignal,
    ): Promise<StagingTotals> {
      const run: StagingTotals = { recorded: 0, duplicate: 0, conflict: 0, quarantined: 0 };
      const backlog = await backlogOf(db);
      while (backlog !== undefined && !signal?.aborted) {
        const rows = await round(backlog, (batch) => {
          for (const outcome of Object.keys(run) as (keyof StagingTotals)[]) run[outcome] += batch[outcome];
          progress({ ...run });
        });
        if (rows > 0) continue;
        if (!(await isBacklogLeft(db, backlog))) break;
        await sleep(waitMs);
      }
      return run;
    },

    heartbeat: ({ condition, failures }: LoopState) => ({
      healthy: condition === 'running' || condition === 'draining',
      detail: {
        staging_condition: condition,
        staging_failures: failures,
        staging_enabled: enabled,
        staging_recorded_total: totals.recorded,
        staging_duplicate_total: totals.duplicate,
        staging_conflict_total: totals.conflict,
        staging_quarantined_total: totals.quarantined,
        staging_interrupted_total: interrupted,
        last_staging_batch_at: lastBatchAt,
      },
    }),
  };
}
