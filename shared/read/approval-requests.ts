// Requests that wait for a second person, and what became of them; and the limits beyond which there are any.

import type { RequestStatus } from '../approvals/request.ts';
import type { Database } from '../database.ts';
import { decimal, instant } from './as-text.ts';
import { type Conditions, condition } from './list.ts';
import { type Page, type PageKey, toPage } from './page.ts';

export interface ApprovalRequest {
  id: string;
  kind: string;
  status: RequestStatus;
  accountId: string;
  customerId: string | null;
  amount: string;
  currency: string;
  reason: string;
  /** What the ledger is told when it is approved. */
  command: Record<string, unknown>;
  /** The loan as it was when this was asked for, and when it was approved. */
  facts: Record<string, string>;
  decidedFacts: Record<string, string> | null;
  requestedBy: string;
  requestedAt: string;
  expiresAt: string;
  decidedBy: string | null;
  decidedAt: string | null;
  decisionNote: string | null;
  settledAt: string | null;
  transactionId: string | null;
  failure: { code: string; message: string } | null;
}

export interface RequestFilter {
  id?: string | undefined;
  status?: RequestStatus | undefined;
  kind?: string | undefined;
  accountId?: string | undefined;
  requestedBy?: string | undefined;
}

/** One whose time is over is over, whoever has not noticed yet. */
const status = `case when r.status = 'requested' and r.expires_at <= now() then 'expired' else r.status end`;

const shown = `r.id, r.kind, ${status} as status, r.account_id as "accountId", r.customer_id as "customerId",
  ${decimal('r.amount', 'r.currency')} as amount, r.currency, r.reason, r.command, r.facts, r.decided_facts as "decidedFacts",
  r.maker as "requestedBy", ${instant('r.requested_at')} as "requestedAt", ${instant('r.expires_at')} as "expiresAt",
  coalesce(r.checker, case r.status when 'cancelled' then r.maker end) as "decidedBy", ${instant('r.decided_at')} as "decidedAt",
  r.decision_note as "decisionNote", ${instant('r.settled_at')} as "settledAt", r.transaction_id as "transactionId", r.failure`;

/** Newest first. Throws DatabaseFault. */
export async function readApprovalRequests(
  db: Database,
  filter: RequestFilter,
  after: PageKey | undefined,
  limit: number,
): Promise<Page<ApprovalRequest>> {
  const conditions: Conditions = { where: [], params: [] };
  condition(conditions, filter.id, (p) => `r.id = ${p}::uuid`);
  condition(conditions, filter.status, (p) => `${status} = ${p}`);
  condition(conditions, filter.kind, (p) => `r.kind = ${p}`);
  condition(conditions, filter.accountId, (p) => `r.account_id = ${p}`);
  condition(conditions, filter.requestedBy, (p) => `r.maker = ${p}`);
  condition(conditions, after?.at, (p) => `r.requested_at <= ${p}::timestamptz`);
  condition(
    conditions,
    after?.id,
    (p) => `(r.requested_at, r.id) < ($${conditions.params.length - 1}::timestamptz, ${p}::uuid)`,
  );
  conditions.params.push(limit + 1);
  const rows = await db.query<ApprovalRequest & { sortedAt: string }>(
    `select ${shown}, to_char(r.requested_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "sortedAt"
     from approvals.requests r ${conditions.where.length > 0 ? `where ${conditions.where.join(' and ')}` : ''}
     order by r.requested_at desc, r.id desc limit $${conditions.params.length}::int`,
    conditions.params,
  );
  return toPage(rows, limit);
}

export async function readApprovalRequest(db: Database, id: string): Promise<ApprovalRequest | undefined> {
  return (await readApprovalRequests(db, { id }, undefined, 1)).rows[0];
}

export interface ApprovalLimit {
  role: string;
  kind: string;
  currency: string;
  amount: string;
  setBy: string;
  changedAt: string;
}

/** Throws DatabaseFault. */
export const readApprovalLimits = (db: Database): Promise<ApprovalLimit[]> =>
  db.query<ApprovalLimit>(
    `select l.role, l.kind, l.currency, ${decimal('l.amount', 'l.currency')} as amount, l.set_by as "setBy",
       ${instant('l.changed_at')} as "changedAt"
     from approvals.limits l order by l.role, l.kind, l.currency`,
  );
