// The staging slice's only SQL. Rows are claimed with SKIP LOCKED in the order of the index of what is pending, so that
// any number of instances take disjoint batches and none waits for another, nor for the ETL.

import type { Database } from '../database.ts';
import type { FieldFault } from '../payments/payment-fields.ts';
import { metadataLimit, type StagedRow } from './staged-row.ts';

export interface ClaimedRow extends StagedRow {
  id: string;
  attempts: number;
}

/** Ids of rows, both as decimal text: above the one, up to the other. */
export interface Range {
  after: string;
  upTo: string | undefined;
}

/**
 * Begins a batch's transaction: while it lasts, the batch is known to be alive. Timestamps come as ISO text whatever
 * the database's own style is.
 */
export async function beginBatch(tx: Database, batchId: string): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(${lockOf('$1')}), set_config('datestyle', 'ISO, YMD', true)`, [
    batchId,
  ]);
}
const lockOf = (uuid: string) => `hashtextextended('staging ' || ${uuid}::text, 0)`;

/** What is done from here on can be undone without letting go of what was claimed. */
export const setSavepoint = (tx: Database): Promise<unknown> => tx.query('savepoint claimed');
export const backToSavepoint = (tx: Database): Promise<unknown> => tx.query('rollback to savepoint claimed');

// A bare `id` behind `order by` would be this list's text, which no index has in order.
// One character more than is allowed tells that it is too long, and bounds what a batch holds in memory.
const claimColumns = `id::text, left(reference_number, 256) as reference_number,
  left(loan_account_number, 21) as loan_account_number, left(cif, 21) as cif,
  left(trim_scale(amount)::text, 65) as amount, left(currency, 4) as currency, payment_date::text as payment_date,
  left(payment_channel, 101) as payment_channel, left(metadata::text, ${metadataLimit + 1}) as metadata, attempts`;

const claimFreshStatement = `select ${claimColumns} from public.payment_staging
  where processed is not true and batch_id is null and id > $1 and id <= coalesce($2, 9223372036854775807)
  order by payment_staging.id limit $3 for update skip locked`;

/** Claims the first rows of the range that nobody has tried in vain. */
export function claimFresh(tx: Database, range: Range, limit: number): Promise<ClaimedRow[]> {
  return tx.query<ClaimedRow>(claimFreshStatement, [range.after, range.upTo ?? null, limit]);
}

// The batch's lock keeps its rows together: two claims that skipped each other's rows would each try a part of it.
const claimRetryStatement = `with due as materialized (
    select distinct batch_id from (
      select batch_id from public.payment_staging
      where processed is not true and batch_id is not null and retry_at <= now() order by retry_at limit $1
    ) as soonest
  ), mine as materialized (
    select batch_id from due where pg_try_advisory_xact_lock(${lockOf('batch_id')}) limit 1
  )
  select ${claimColumns} from public.payment_staging
  where processed is not true and batch_id = (select batch_id from mine) and retry_at <= now()
  order by payment_staging.id for update skip locked`;

/** Claims all rows of a batch that faulted before and whose wait is over. */
export function claimRetry(tx: Database, batchSize: number): Promise<ClaimedRow[]> {
  return tx.query<ClaimedRow>(claimRetryStatement, [batchSize]);
}

export interface Counts {
  recorded: number;
  duplicate: number;
  conflict: number;
  quarantined: number;
}

/** Says outside of the batch's transaction that it is under way. */
export async function logStarted(
  db: Database,
  batch: { id: string; startId: string; endId: string; rows: number; instance: string },
): Promise<void> {
  await db.query(
    `insert into payment_service.staging_process_log (id, batch_start_id, batch_end_id, total_records, instance)
     values ($1, $2, $3, $4, $5)`,
    [batch.id, batch.startId, batch.endId, batch.rows, batch.instance],
  );
}

export async function logCompleted(tx: Database, batchId: string, counts: Counts): Promise<void> {
  await tx.query(
    `update payment_service.staging_process_log
     set status = 'completed', completed_at = clock_timestamp(), processed_records = $2, duplicate_records = $3,
         conflict_records = $4, error_records = $5
     where id = $1`,
    [batchId, counts.recorded, counts.duplicate, counts.conflict, counts.quarantined],
  );
}

export async function logFailed(tx: Database, batchId: string, details: object): Promise<void> {
  await tx.query(
    `update payment_service.staging_process_log
     set status = 'failed', completed_at = clock_timestamp(), error_details = $2
     where id = $1 and status = 'processing'`,
    [batchId, JSON.stringify(details)],
  );
}

/** Batches that are logged as under way but whose transaction is gone; they have changed nothing. */
export async function logInterrupted(db: Database): Promise<number> {
  const rows = await db.query(
    `update payment_service.staging_process_log l
     set status = 'failed', completed_at = clock_timestamp(), error_details = '{"code": "interrupted"}'
     from (select id from payment_service.staging_process_log
           where status = 'processing' order by started_at limit 1000 for update skip locked) as running
     where l.id = running.id and pg_try_advisory_xact_lock(${lockOf('l.id')})
     returning l.id`,
  );
  return rows.length;
}

export async function removeLogBefore(db: Database, before: Date, limit: number): Promise<number> {
  const removed = await db.query(
    `delete from payment_service.staging_process_log where id in (
       select id from payment_service.staging_process_log
       where started_at < $1 and status <> 'processing' order by started_at limit $2 for update skip locked)
     returning id`,
    [before.toISOString(), limit],
  );
  return removed.length;
}

export interface RecordedRow {
  id: string;
  outcome: 'recorded' | 'duplicate' | 'conflict';
  paymentId: string;
  conflictId: string | null;
}

/** `processedAt` is a time without zone, of the business zone as all of this table's. */
export async function markRecorded(
  tx: Database,
  rows: readonly RecordedRow[],
  processedAt: string,
): Promise<void> {
  if (rows.length === 0) return;
  const allRecorded = rows.every((row) => row.outcome === 'recorded');
  await tx.query(
    `update public.payment_staging s
     set processed = true, processed_at = $1::timestamp, outcome = m.outcome, payment_id = m.payment_id,
         conflict_id = m.conflict_id, reason = null, faults = null
     from (select id, payment_id, coalesce(o.outcome, 'recorded') as outcome, o.conflict_id
           from unnest($2::bigint[], $3::uuid[]) with ordinality as r (id, payment_id, n)
           left join unnest($4::text[], $5::uuid[]) with ordinality as o (outcome, conflict_id, n) using (n)) as m
     where s.id = m.id`,
    [
      processedAt,
      rows.map((row) => row.id),
      rows.map((row) => row.paymentId),
      allRecorded ? [] : rows.map((row) => row.outcome),
      allRecorded ? [] : rows.map((row) => row.conflictId),
    ],
  );
}

export interface QuarantinedRow {
  id: string;
  reason: string;
  faults: readonly FieldFault[];
}

export async function markQuarantined(
  tx: Database,
  rows: readonly QuarantinedRow[],
  processedAt: string,
): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(
    `update public.payment_staging s
     set processed = true, processed_at = $1::timestamp, outcome = 'quarantined', reason = m.reason, faults = m.faults::jsonb
     from unnest($2::bigint[], $3::text[], $4::text[]) as m (id, reason, faults)
     where s.id = m.id`,
    [
      processedAt,
      rows.map((row) => row.id),
      rows.map((row) => row.reason),
      rows.map((row) => JSON.stringify(row.faults)),
    ],
  );
}

/** Sets claimed rows aside as one batch that is to be tried again, so many times in vain so far. */
export async function setAside(
  tx: Database,
  rows: { ids: readonly string[]; batchId: string; attempts: number; waitMs: number },
): Promise<void> {
  await tx.query(
    `update public.payment_staging
     set batch_id = $2, attempts = $3, retry_at = now() + make_interval(secs => $4::float8 / 1000)
     where id = any ($1::bigint[])`,
    [rows.ids, rows.batchId, rows.attempts, rows.waitMs],
  );
}

/** The highest id that waits now; undefined when nothing does. */
export async function lastPending(db: Database): Promise<string | undefined> {
  const rows = await db.query<{ id: string }>(
    'select id::text from public.payment_staging where processed is not true order by payment_staging.id desc limit 1',
  );
  return rows[0]?.id;
}

export async function hasPending(db: Database, upTo: string): Promise<boolean> {
  const rows = await db.query(
    'select from public.payment_staging where processed is not true and id <= $1 order by id limit 1',
    [upTo],
  );
  return rows.length > 0;
}

/** False when no row of this id is quarantined. `changes` is JSON text: columns by name. */
export async function saveCorrection(
  db: Database,
  correction: { id: string; changes: string; note: string | null; actor: string },
): Promise<boolean> {
  const [row] = await db.query<{ corrected: boolean }>(
    'select payment_service.correct_staged($1, $2, $3, $4) as corrected',
    [correction.id, correction.changes, correction.note, correction.actor],
  );
  return row?.corrected === true;
}

export async function saveRelease(
  db: Database,
  release: {
    ids: readonly string[] | null;
    reason: string | null;
    limit: number;
    note: string | null;
    actor: string;
  },
): Promise<number> {
  const [row] = await db.query<{ released: number }>(
    'select payment_service.release_staged($1, $2, $3, $4, $5) as released',
    [release.ids, release.reason, release.limit, release.note, release.actor],
  );
  return row?.released ?? 0;
}
