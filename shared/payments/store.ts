// The payments slice's only SQL. Recording and deciding go through functions of the database, so that the edge needs
// one round trip and its role no table. What screens show is read in shared/read/.

import { eq } from 'drizzle-orm';
import { paymentConflicts } from '../../drizzle/schema/payments.ts';
import { type Database, tables } from '../database.ts';
import { formatAmount } from '../money.ts';
import type { NewFailure } from './failure.ts';
import type { NewPayment, RecentPayment, Recorded } from './payment.ts';
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
  const column = <V>(value: (payment: Identified<NewPayment>) => V) => batch.map(value);
  const rows = await db.query<{
    outcome: Recorded['outcome'];
    payment_id: string;
    conflict_id: string | null;
  }>(recordStatement, [
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
  ]);
  if (rows.length !== batch.length) throw new Error(`recorded ${rows.length} of ${batch.length} payments`);
  return rows.map((row) =>
    row.outcome === 'conflict'
      ? { outcome: row.outcome, paymentId: row.payment_id, conflictId: row.conflict_id as string }
      : { outcome: row.outcome, paymentId: row.payment_id },
  );
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
  const column = <V>(value: (reversal: Identified<NewReversal>) => V) => batch.map(value);
  const rows = await db.query<{
    outcome: Reversed['outcome'];
    reversal_id: string | null;
    payment_id: string | null;
    refusal: Extract<Reversed, { outcome: 'refused' }>['why'] | null;
  }>(reverseStatement, [
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
    keepRefused,
  ]);
  if (rows.length !== batch.length) throw new Error(`reversed ${rows.length} of ${batch.length} payments`);
  return rows.map((row) => ({
    outcome: row.outcome,
    reversalId: row.reversal_id,
    paymentId: row.payment_id,
    why: row.refusal,
  })) as Reversed[];
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
