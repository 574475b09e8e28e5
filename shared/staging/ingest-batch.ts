// Takes one batch of staged rows to the payments, in one transaction: claim, read, record, mark, log. Killed anywhere,
// it has changed nothing but its line in the log, which the next look finds without its transaction and closes.
//
//   a batch that faults       goes back to before it was recorded, and uses an attempt
//   up to maxRetries          its rows stay together and wait: 1 s, 2 s, 4 s ... up to a minute
//   after that                it is halved, each half is tried at once and halved again when it faults
//   a single row that faults  is quarantined
//
// A process that is killed, a database that is away or a batch that cannot be the rows' fault uses up no attempt: it is
// thrown, and the rows are as they were.

import { type Database, DatabaseFault, type TransactionalDatabase } from '../database.ts';
import type { NewPayment, Recorded } from '../payments/payment.ts';
import { recordPayments } from '../payments/record-payments.ts';
import { type ReadStagedRow, reasonOf } from './staged-row.ts';
import {
  backToSavepoint,
  beginBatch,
  type ClaimedRow,
  type Counts,
  claimFresh,
  claimRetry,
  logCompleted,
  logFailed,
  logStarted,
  markQuarantined,
  markRecorded,
  type QuarantinedRow,
  type Range,
  type RecordedRow,
  setAside,
  setSavepoint,
} from './store.ts';

export interface IngestOptions {
  /** A batch holds one connection and needs a second one for a moment. */
  db: TransactionalDatabase;
  read: ReadStagedRow;
  batchSize: number;
  maxRetries: number;
  instance: string;
  /** The wall clock of the business zone, as text that Postgres reads as a timestamp. */
  wallClock: () => string;
}

export interface IngestedBatch extends Counts {
  /** Rows that were claimed. */
  rows: number;
  /** Rows that wait for another attempt, because the batch faulted. */
  setAside: number;
}

const nothing: IngestedBatch = {
  rows: 0,
  recorded: 0,
  duplicate: 0,
  conflict: 0,
  quarantined: 0,
  setAside: 0,
};
const retryBackoff = { minMs: 1_000, maxMs: 60_000 };

/** Takes the first rows of the range that were never tried. `claimed` hears of them while they are being worked on. */
export const ingestFresh = (
  options: IngestOptions,
  range: Range,
  claimed: (rows: readonly ClaimedRow[]) => void,
): Promise<IngestedBatch> =>
  ingest(options, async (tx) => {
    const rows = await claimFresh(tx, range, options.batchSize);
    if (rows.length > 0) claimed(rows);
    return rows;
  });

/** Takes a batch that faulted before and whose wait is over. */
export const ingestRetry = (options: IngestOptions): Promise<IngestedBatch> =>
  ingest(options, (tx) => claimRetry(tx, options.batchSize));

async function ingest(
  options: IngestOptions,
  claim: (tx: Database) => Promise<ClaimedRow[]>,
): Promise<IngestedBatch> {
  const batchId = crypto.randomUUID();
  return options.db.transaction(async (tx) => {
    await beginBatch(tx, batchId);
    const rows = await claim(tx);
    const [first, last] = [rows[0], rows.at(-1)];
    if (!first || !last) return nothing;
    const logged = logStarted(options.db, {
      id: batchId,
      startId: first.id,
      endId: last.id,
      rows: rows.length,
      instance: options.instance,
    });
    // Whichever fails first is the fault; this one is looked at when the rest is done.
    logged.catch(() => {});
    await setSavepoint(tx);
    try {
      const counts = await record(options, tx, rows);
      await logged;
      await logCompleted(tx, batchId, counts);
      return { rows: rows.length, ...counts, setAside: 0 };
    } catch (error) {
      if (!isOfTheRows(error)) throw error;
      // The rows stay locked: nobody takes them between what failed and what is said about it.
      await backToSavepoint(tx);
      await logged;
      return putBack(options, tx, batchId, rows, error);
    }
  });
}

async function record(options: IngestOptions, tx: Database, rows: readonly ClaimedRow[]): Promise<Counts> {
  const { payments, paymentRows, quarantined } = sort(rows, options.read);
  const recorded = await recordPayments(tx, payments);
  const counts: Counts = { recorded: 0, duplicate: 0, conflict: 0, quarantined: quarantined.length };
  const marked = paymentRows.map((row, n): RecordedRow => {
    const one = recorded[n] as Recorded;
    const outcome = one.outcome === 'created' ? 'recorded' : one.outcome;
    counts[outcome] += 1;
    const conflictId = one.outcome === 'conflict' ? one.conflictId : null;
    return { id: row.id, outcome, paymentId: one.paymentId, conflictId };
  });
  const processedAt = options.wallClock();
  await markRecorded(tx, marked, processedAt);
  await markQuarantined(tx, quarantined, processedAt);
  return counts;
}

function sort(rows: readonly ClaimedRow[], read: ReadStagedRow) {
  const payments: NewPayment[] = [];
  const paymentRows: ClaimedRow[] = [];
  const quarantined: QuarantinedRow[] = [];
  for (const row of rows) {
    const payment = read(row);
    if (payment.ok) {
      payments.push(payment.value);
      paymentRows.push(row);
    } else {
      quarantined.push({ id: row.id, reason: reasonOf(payment.refusal), faults: payment.refusal });
    }
  }
  return { payments, paymentRows, quarantined };
}

/**
 * Whether another attempt at fewer rows may tell which is to blame. Of what the database answers that is what it says
 * about values: cardinality, data, integrity, a view's check, limits, and what triggers raise. All else (a missing
 * right, a missing function, no space) would fail for every row there is, and must not quarantine them.
 */
const isOfTheRows = (error: unknown): boolean =>
  !(error instanceof DatabaseFault) ||
  (error.sqlState !== undefined && /^(21|22|23|44|54|P0)/.test(error.sqlState));

async function putBack(
  options: IngestOptions,
  tx: Database,
  batchId: string,
  rows: readonly ClaimedRow[],
  error: unknown,
): Promise<IngestedBatch> {
  const attempts = Math.max(...rows.map((row) => row.attempts)) + 1;
  const ids = rows.map((row) => row.id);
  const fault = describe(error);
  await logFailed(tx, batchId, { ...fault, attempt: attempts });
  if (attempts <= options.maxRetries) {
    const waitMs = Math.min(retryBackoff.maxMs, retryBackoff.minMs * 2 ** (attempts - 1));
    await setAside(tx, { ids, batchId, attempts, waitMs });
  } else if (ids.length > 1) {
    const middle = Math.ceil(ids.length / 2);
    for (const half of [ids.slice(0, middle), ids.slice(middle)]) {
      const halfId = crypto.randomUUID();
      // The attempts stay at their most, so that a half that faults is halved again.
      await setAside(tx, { ids: half, batchId: halfId, attempts: options.maxRetries, waitMs: 0 });
    }
  } else {
    const faults = [{ field: 'row', code: fault.code, message: fault.message }];
    const quarantined = ids.map((id) => ({ id, reason: 'fault', faults }));
    await markQuarantined(tx, quarantined, options.wallClock());
    return { ...nothing, rows: 1, quarantined: 1 };
  }
  return { ...nothing, rows: ids.length, setAside: ids.length };
}

/** For who may see the rows themselves: the database's own words may quote them, so they go into no log line. */
function describe(error: unknown): { code: string; message: string } {
  const cause = error instanceof DatabaseFault ? error.cause : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = error instanceof DatabaseFault ? error.sqlState : undefined;
  return {
    code: code ?? (error instanceof Error ? error.name : 'unknown'),
    message: message.replaceAll('\0', '').slice(0, 500),
  };
}
