// The approvals slice's only SQL; the rules that need a lock are functions of drizzle/migrations/0026_requests.sql.

import type { Database } from '../database.ts';
import type { LimitedKind, LoanFacts } from './request.ts';

export interface AskedRow {
  state: 'direct' | 'new' | 'repeated' | 'reused' | 'person_required';
  told: Record<string, unknown> | null;
}

export async function saveAsked(
  db: Database,
  asked: {
    maker: string;
    key: string;
    request: string;
    roles: readonly string[];
    command: object;
    limited:
      | {
          kind: LimitedKind;
          accountId: string;
          customerId: string | null;
          currency: string;
          amount: string;
          facts: LoanFacts;
          reason: string;
        }
      | undefined;
    lastingHours: number;
  },
): Promise<AskedRow> {
  const { limited } = asked;
  const [row] = await db.query<AskedRow>(
    `select state, told from approvals.ask($1, $2, $3, $4::text[], $5, $6, $7, $8, $9::numeric, $10::jsonb, $11::jsonb, $12,
                                           make_interval(hours => $13::int))`,
    [
      ...[asked.maker, asked.key, asked.request, [...asked.roles], limited?.kind ?? null],
      ...[limited?.accountId ?? null, limited?.customerId ?? null, limited?.currency ?? null],
      ...[limited?.amount ?? null, JSON.stringify(asked.command), JSON.stringify(limited?.facts ?? null)],
      ...[limited?.reason ?? null, asked.lastingHours],
    ],
  );
  if (!row) throw new Error('asking has one row');
  return row;
}

/** Undefined when there is no such request. */
export async function saveDecision(
  db: Database,
  decided: {
    id: string;
    decision: 'approved' | 'rejected';
    checker: string;
    note: string | null;
    facts: LoanFacts | null;
  },
): Promise<{ before: string; by: string | null } | undefined> {
  const [row] = await db.query<{ before: string; by: string | null }>(
    'select before, by from approvals.decide($1::uuid, $2, $3, $4, $5::jsonb)',
    [
      decided.id,
      decided.decision,
      decided.checker,
      decided.note,
      decided.facts && JSON.stringify(decided.facts),
    ],
  );
  return row;
}

/** Null when there is no such request. */
export async function saveCancellation(
  db: Database,
  { id, maker, note }: { id: string; maker: string; note: string | null },
): Promise<string | null> {
  const [row] = await db.query<{ before: string | null }>(
    'select approvals.cancel($1::uuid, $2, $3) as before',
    [id, maker, note],
  );
  return row?.before ?? null;
}

export async function expireRequests(db: Database, limit: number): Promise<number> {
  const [row] = await db.query<{ ended: number }>('select approvals.expire($1::int) as ended', [limit]);
  return row?.ended ?? 0;
}

/** False when it was settled before. */
export async function saveSettlement(
  db: Database,
  { id, transactionId, failure }: { id: string; transactionId: string | null; failure: object | null },
): Promise<boolean> {
  const [row] = await db.query<{ settled: boolean }>(
    'select approvals.settle($1::uuid, $2, $3::jsonb) as settled',
    [id, transactionId, failure && JSON.stringify(failure)],
  );
  return row?.settled === true;
}

export interface Limit {
  role: string;
  kind: LimitedKind;
  currency: string;
  amount: string;
}

export async function saveLimit(db: Database, limit: Limit, actor: string): Promise<void> {
  await db.query(
    `insert into approvals.limits (role, kind, currency, amount, set_by) values ($1, $2, $3, $4::numeric, $5)
     on conflict (role, kind, currency) do update set amount = excluded.amount, set_by = excluded.set_by
     where limits.amount <> excluded.amount`,
    [limit.role, limit.kind, limit.currency, limit.amount, actor],
  );
}

/** False when there was none. */
export async function deleteLimit(db: Database, limit: Omit<Limit, 'amount'>): Promise<boolean> {
  const rows = await db.query(
    'delete from approvals.limits where role = $1 and kind = $2 and currency = $3 returning role',
    [limit.role, limit.kind, limit.currency],
  );
  return rows.length > 0;
}
