// The payments slice's only SQL. Recording and deciding go through functions of the database, so that the edge needs
// one round trip and its role no table. What screens show is read in shared/read/.

import { eq } from 'drizzle-orm';
import { paymentConflicts, rejectedBodies } from '../../drizzle/schema/payments.ts';
import { type Database, tables } from '../database.ts';
import { formatAmount } from '../money.ts';
import type { IdempotencyKey, Once } from '../operations/idempotency-key.ts';
import type { BuriedArrival } from './buried-arrival.ts';
import type { NewFailure } from './failure.ts';
import type { NewNotice, NoticeStatus } from './notice.ts';
import type { NewPayment, RecentPayment, Recorded } from './payment.ts';
import type { PublishedUpTo, PublishRange } from './publish-range.ts';
import type { NewRejectedBody, RejectedBodyStatus } from './rejected-body.ts';
import type { NewReversal, Reversed } from './reversal.ts';

type Identified<T> = T & { id: string; eventId: string };

const recordStatement = `select * from payment_service.record_payments(
  $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::numeric[], $8::text[],
  $9::timestamptz[], $10::date[], $11::text[], $12::text[], array_fill(null::uuid, array[cardinality($1)]),
  $13::boolean[], $14::text[], $15::text[])`;

export async function saveRecordedPayments(
  db: Database,
  batch: readonly Identified<NewPayment>[],
): Promise<Recorded[]> {
  const rows = await db.query<RecordedRow>(recordStatement, recordColumns(batch));
  if (rows.length !== batch.length) throw new Error(`recorded ${rows.length} of ${batch.length} payments`);
  return rows.map(recordedOf);
}

interface RecordedRow {
  outcome: Recorded['outcome'];
  payment_id: string;
  conflict_id: string | null;
}

const recordedOf = (row: RecordedRow): Recorded =>
  row.outcome === 'conflict'
    ? { outcome: row.outcome, paymentId: row.payment_id, conflictId: row.conflict_id as string }
    : { outcome: row.outcome, paymentId: row.payment_id };

function recordColumns(batch: readonly Identified<NewPayment>[]): unknown[][] {
  const column = <V>(value: (payment: Identified<NewPayment>) => V) => batch.map(value);
  return [
    column((p) => p.id),
    column((p) => p.eventId),
    column((p) => p.namespace),
    column((p) => p.referenceNumber),
    column((p) => p.loanAccountNumber),
    column((p) => p.cif),
    column((p) => formatAmount(p.amount)),
    column((p) => p.amount.currency),
    column((p) => p.paymentDate.toISOString()),
    column((p) => p.paidOn),
    column((p) => p.paymentChannel),
    column((p) => p.metadata),
    column((p) => p.requiresReceipt),
    column((p) => p.source),
    column((p) => p.actor),
  ];
}

const recordOnceStatement = `select * from payment_service.record_payments_once($16, $17, $18,
  $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::numeric[], $8::text[],
  $9::timestamptz[], $10::date[], $11::text[], $12::text[], array_fill(null::uuid, array[cardinality($1)]),
  $13::boolean[], $14::text[], $15::text[])`;

export async function saveRecordedPaymentsOnce(
  db: Database,
  batch: readonly Identified<NewPayment>[],
  key: IdempotencyKey,
): Promise<Once<Recorded[]>> {
  const columns = [...recordColumns(batch), key.actor, key.key, key.request];
  const [row] = await db.query<OnceRow<RecordedRow>>(recordOnceStatement, columns);
  return onceOf(row, (rows) => rows.map(recordedOf));
}

type OnceRow<T> =
  | { state: 'new' | 'repeated'; done: T[]; answer: string | null }
  | { state: 'reused'; done: null; answer: null };

function onceOf<T, U>(row: OnceRow<T> | undefined, read: (rows: T[]) => U): Once<U> {
  if (!row) throw new Error('nothing was answered');
  if (row.state === 'reused') return { state: row.state };
  return { state: row.state, done: read(row.done), answer: row.answer };
}

export async function latestPayments(db: Database, most: number): Promise<RecentPayment[]> {
  const rows = await db.query<{
    namespace: string;
    reference_number: string;
    payment_id: string;
    facts_hash: string;
  }>('select * from payment_service.recent_payments($1)', [most]);
  return rows.map((row) => ({
    namespace: row.namespace,
    referenceNumber: row.reference_number,
    paymentId: row.payment_id,
    factsHash: row.facts_hash,
  }));
}

const reverseStatement = `select * from payment_service.reverse_payments(
  $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::text[], $8::text[], $9::timestamptz[],
  $10::text[], $11::text[], $12)`;

export async function saveReversals(
  db: Database,
  batch: readonly Identified<NewReversal>[],
  keepRefused: boolean,
): Promise<Reversed[]> {
  const rows = await db.query<ReversedRow>(reverseStatement, [...reverseColumns(batch), keepRefused]);
  if (rows.length !== batch.length) throw new Error(`reversed ${rows.length} of ${batch.length} payments`);
  return rows.map(reversedOf);
}

interface ReversedRow {
  outcome: Reversed['outcome'];
  reversal_id: string | null;
  payment_id: string | null;
  refusal: Extract<Reversed, { outcome: 'refused' }>['why'] | null;
}

const reversedOf = (row: ReversedRow) =>
  ({
    outcome: row.outcome,
    reversalId: row.reversal_id,
    paymentId: row.payment_id,
    why: row.refusal,
  }) as Reversed;

function reverseColumns(batch: readonly Identified<NewReversal>[]): unknown[][] {
  const column = <V>(value: (reversal: Identified<NewReversal>) => V) => batch.map(value);
  return [
    column((r) => r.id),
    column((r) => r.eventId),
    column((r) => r.namespace),
    column((r) => r.referenceNumber),
    column((r) => r.reversalReference),
    column((r) => r.amount && formatAmount(r.amount)),
    column((r) => r.amount?.currency),
    column((r) => r.reason),
    column((r) => r.occurredAt.toISOString()),
    column((r) => r.source),
    column((r) => r.actor),
  ];
}

const reverseOnceStatement = `select * from payment_service.reverse_payments_once($13, $14, $15,
  $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::text[], $8::text[], $9::timestamptz[],
  $10::text[], $11::text[], $12)`;

export async function saveReversalsOnce(
  db: Database,
  batch: readonly Identified<NewReversal>[],
  keepRefused: boolean,
  key: IdempotencyKey,
): Promise<Once<Reversed[]>> {
  const columns = [...reverseColumns(batch), keepRefused, key.actor, key.key, key.request];
  const [row] = await db.query<OnceRow<ReversedRow>>(reverseOnceStatement, columns);
  return onceOf(row, (rows) => rows.map(reversedOf));
}

const failStatement = `select * from payment_service.record_failures(
  $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::numeric[], $9::text[],
  $10::text[], $11::timestamptz[], $12::text[], $13::text[], $14::text[])`;

export async function saveFailures(
  db: Database,
  batch: readonly Identified<NewFailure>[],
): Promise<Array<'recorded' | 'duplicate'>> {
  const column = <V>(value: (failure: Identified<NewFailure>) => V) => batch.map(value);
  const rows = await db.query<{ outcome: 'recorded' | 'duplicate' }>(failStatement, [
    column((f) => f.id),
    column((f) => f.eventId),
    column((f) => f.namespace),
    column((f) => f.referenceNumber),
    column((f) => f.failureReference),
    column((f) => f.loanAccountNumber),
    column((f) => f.cif),
    column((f) => f.amount && formatAmount(f.amount)),
    column((f) => f.amount?.currency),
    column((f) => f.reason),
    column((f) => f.occurredAt.toISOString()),
    column((f) => f.paymentChannel),
    column((f) => f.source),
    column((f) => f.actor),
  ]);
  if (rows.length !== batch.length) throw new Error(`kept ${rows.length} of ${batch.length} failures`);
  return rows.map((row) => row.outcome);
}

export async function saveNotices(
  db: Database,
  batch: readonly NewNotice[],
): Promise<Array<'kept' | 'duplicate'>> {
  const column = <V>(value: (notice: NewNotice) => V) => batch.map(value);
  const rows = await db.query<{ outcome: 'kept' | 'duplicate' }>(
    'select * from payment_service.keep_notices($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[])',
    [
      column((n) => n.channel),
      column((n) => n.noticeReference),
      column((n) => n.subject),
      column((n) => n.payload),
      column((n) => n.standing),
      column((n) => n.actor),
    ],
  );
  if (rows.length !== batch.length) throw new Error(`kept ${rows.length} of ${batch.length} notices`);
  return rows.map((row) => row.outcome);
}

export interface ClaimedNotice extends NewNotice {
  id: string;
  cursor: string | null;
  /** This claim's number: what is settled under another one is not settled. */
  attempts: number;
  timesSeen: number;
}

/** Takes notices whose time has come; nobody else is given them for `leaseMs`. */
export async function claimNotices(
  db: Database,
  { channels, limit, leaseMs }: { channels: readonly string[]; limit: number; leaseMs: number },
): Promise<ClaimedNotice[]> {
  return db.query<ClaimedNotice>(
    `update payment_service.payment_notices n
     set attempts = n.attempts + 1, next_try_at = now() + $3 * interval '1 millisecond'
     from (select id from payment_service.payment_notices
           where status = 'waiting' and next_try_at <= now() and channel = any ($1::text[])
           order by next_try_at limit $2 for update skip locked) as due
     where n.id = due.id
     returning n.id, n.channel, n.notice_reference as "noticeReference", n.subject, n.payload, n.standing, n.actor,
               n.cursor, n.attempts, n.times_seen as "timesSeen"`,
    [channels, limit, leaseMs],
  );
}

/**
 * The answer is recorded. It waits on where there is more, or where it came again meanwhile. False when the claim has
 * been lost to another.
 */
export async function saveSettledNotice(
  db: Database,
  n: { id: string; attempts: number; timesSeen: number; cursor: string | null; more: boolean },
): Promise<boolean> {
  const rows = await db.query(
    `update payment_service.payment_notices
     set cursor = $4, attempts = 0, last_error = null, next_try_at = now(),
         status = case when $5 or times_seen <> $3 then 'waiting' else 'done' end,
         settled_at = case when $5 or times_seen <> $3 then null else now() end
     where id = $1 and attempts = $2 and status = 'waiting' returning id`,
    [n.id, n.attempts, n.timesSeen, n.cursor, n.more],
  );
  return rows.length > 0;
}

/** There was no answer that can be recorded: it is asked again after `retryInMs`, or with null it has failed. */
export async function saveUnansweredNotice(
  db: Database,
  n: { id: string; attempts: number; error: string; retryInMs: number | null },
): Promise<void> {
  await db.query(
    `update payment_service.payment_notices
     set last_error = $3, status = case when $4::float8 is null then 'failed' else 'waiting' end,
         settled_at = case when $4::float8 is null then now() end,
         next_try_at = now() + coalesce($4::float8, 0) * interval '1 millisecond'
     where id = $1 and attempts = $2 and status = 'waiting'`,
    [n.id, n.attempts, n.error, n.retryInMs],
  );
}

/** The notice's status before the call; undefined when there is no such notice. */
export async function saveRetriedNotice(
  db: Database,
  n: { noticeId: string; actor: string },
): Promise<NoticeStatus | undefined> {
  const [row] = await db.query<{ status_before: NoticeStatus }>(
    'select * from payment_service.retry_notice($1, $2)',
    [n.noticeId, n.actor],
  );
  return row?.status_before;
}

export async function deleteOldNotices(db: Database, limit: number): Promise<number> {
  const [row] = await db.query<{ removed: number }>(
    'select payment_service.remove_old_notices($1) as removed',
    [limit],
  );
  return row?.removed ?? 0;
}

export async function saveRejectedBodies(db: Database, bodies: readonly NewRejectedBody[]): Promise<void> {
  const column = <V>(value: (body: NewRejectedBody) => V) => bodies.map(value);
  await db.query(
    `select payment_service.keep_rejected_bodies(
       $1::text[], $2::text[], $3::text[], $4::boolean[], $5::boolean[], $6::text[], $7::text[])`,
    [
      column((b) => b.channel),
      column((b) => b.bodyHash),
      column((b) => b.body),
      column((b) => b.masked),
      column((b) => b.altered),
      column((b) => JSON.stringify(b.refusal)),
      column((b) => b.requestId),
    ],
  );
}

export interface RejectedBodyDecision {
  id: string;
  status: 'resent' | 'dismissed';
  reason: string | null;
  /** What was sent in its place. */
  resentBody: string | null;
  actor: string;
}

/** The body's status before the call; undefined when there is no such body. */
export async function saveRejectedBodyDecision(
  db: Database,
  d: RejectedBodyDecision,
): Promise<RejectedBodyStatus | undefined> {
  const [row] = await db.query<{ status_before: RejectedBodyStatus }>(
    'select * from payment_service.decide_rejected_body($1, $2, $3, $4, $5)',
    [d.id, d.status, d.reason, d.resentBody, d.actor],
  );
  return row?.status_before;
}

export async function rejectedBodyOf(db: Database, id: string) {
  const rows = await tables(db)
    .select({
      channel: rejectedBodies.channel,
      body: rejectedBodies.body,
      altered: rejectedBodies.altered,
      status: rejectedBodies.status,
    })
    .from(rejectedBodies)
    .where(eq(rejectedBodies.id, id));
  return rows[0];
}

export async function deleteOldRejectedBodies(db: Database, limit: number): Promise<number> {
  const [row] = await db.query<{ removed: number }>(
    'select payment_service.remove_old_rejected_bodies($1) as removed',
    [limit],
  );
  return row?.removed ?? 0;
}

type Decided = 'open' | 'accepted' | 'dismissed' | undefined;

/** The conflict's status before the call; undefined when there is no such conflict. */
export async function saveAcceptedConflict(
  db: Database,
  d: { conflictId: string; id: string; eventId: string; reason: string | null; actor: string },
): Promise<Decided> {
  const [row] = await db.query<{ status_before: NonNullable<Decided> }>(
    'select * from payment_service.accept_conflict($1, $2, $3, $4, $5)',
    [d.conflictId, d.id, d.eventId, d.reason, d.actor],
  );
  return row?.status_before;
}

/** As above. */
export async function saveDismissedConflict(
  db: Database,
  d: { conflictId: string; reason: string; actor: string },
): Promise<Decided> {
  const [row] = await db.query<{ status_before: NonNullable<Decided> }>(
    'select * from payment_service.dismiss_conflict($1, $2, $3)',
    [d.conflictId, d.reason, d.actor],
  );
  return row?.status_before;
}

export async function conflictReference(db: Database, conflictId: string): Promise<string | undefined> {
  const rows = await tables(db)
    .select({ referenceNumber: paymentConflicts.referenceNumber })
    .from(paymentConflicts)
    .where(eq(paymentConflicts.id, conflictId));
  return rows[0]?.referenceNumber;
}

export async function saveBuriedArrival(db: Database, b: BuriedArrival): Promise<void> {
  await db.query(
    `insert into payment_service.buried_arrivals (stream, entry_id, arrival, reason) values ($1, $2, $3, $4)
     on conflict do nothing`,
    [b.stream, b.entryId, b.arrival, b.reason],
  );
}

export async function countBuriedArrivals(db: Database): Promise<number> {
  const [row] = await db.query<{ waiting: number }>(
    'select count(*)::int as waiting from payment_service.buried_arrivals where replayed_at is null',
  );
  return row?.waiting ?? 0;
}

export const readBuriedArrivals = (db: Database): Promise<BuriedArrival[]> =>
  db.query<BuriedArrival>(
    `select stream, entry_id as "entryId", arrival, reason from payment_service.buried_arrivals
     where replayed_at is null order by buried_at, entry_id`,
  );

export async function saveReplay(db: Database, b: BuriedArrival): Promise<void> {
  await db.query(
    'update payment_service.buried_arrivals set replayed_at = now() where stream = $1 and entry_id = $2',
    [b.stream, b.entryId],
  );
}

/** One call tells at most `limit` facts, each once on every topic asked for; `upTo` null: there is nothing more. */
export async function savePublishedAgain(
  db: Database,
  range: PublishRange,
  limit: number,
  after: PublishedUpTo | null,
  dryRun: boolean,
): Promise<{ payments: number; failures: number; reversals: number; upTo: PublishedUpTo | null }> {
  const [row] = await db.query<{
    payments: number;
    failures: number;
    reversals: number;
    upTo: string | null;
  }>(
    `select payments, failures, reversals, next_cursor::text as "upTo"
     from payment_service.publish_again($1, $2, $3, $4, $5, $6::json, $7, $8)`,
    [
      'from' in range.by ? range.by.from.toISOString() : null,
      'from' in range.by ? range.by.until.toISOString() : null,
      'loanAccountNumber' in range.by ? range.by.loanAccountNumber : null,
      'referenceNumber' in range.by ? range.by.referenceNumber : null,
      range.topic,
      after,
      limit,
      dryRun,
    ],
  );
  if (!row) throw new Error('nothing was answered');
  return row;
}
