// Postings as screens show them: where each payment is posted, and what is held. Amounts are decimal text.

import { and, asc, desc, eq, sql } from 'drizzle-orm';
import { postings } from '../../drizzle/schema/posting.ts';
import { type Database, tables } from '../database.ts';
import type { PostingState } from '../posting/posting.ts';
import { decimal, instant } from './as-text.ts';
import { olderThan, type PageKey, toPage, utc } from './page.ts';
import { loanNamed } from './resolve.ts';

const of = postings;
const exact = (amount: unknown) =>
  sql<string>`round(${amount}, payment_service.currency_exponent(${of.currency}))::text`;

const columns = {
  id: of.id,
  kind: of.kind,
  state: of.state,
  paymentId: of.paymentId,
  referenceNumber: of.referenceNumber,
  loanAccountNumber: of.loanAccountNumber,
  accountId: of.accountId,
  amount: exact(of.amount),
  reversedAmount: exact(of.reversed),
  currency: of.currency,
  effectiveOn: of.effectiveOn,
  reverses: of.reverses,
  reversalId: of.reversalId,
  moveId: of.moveId,
  heldBecause: of.heldBecause,
  heldMessage: of.heldMessage,
  attempts: of.attempts,
  transactionId: of.transferId,
  reason: of.reason,
  actor: of.actor,
  matchedBy: of.matchedBy,
  matchReason: of.matchReason,
  createdAt: utc(of.createdAt, 'MS'),
  decidedAt: utc(of.decidedAt, 'MS') as ReturnType<typeof sql<string | null>>,
};

export interface PostingFilter {
  state?: PostingState | undefined;
  paymentId?: string | undefined;
  /** Any name of the loan. */
  account?: string | undefined;
  id?: string | undefined;
}

/** Newest first. */
export async function readPostings(
  db: Database,
  { state, paymentId, account, id }: PostingFilter,
  after: PageKey | undefined,
  limit: number,
) {
  const rows = await tables(db)
    .select({ ...columns, sortedAt: utc(of.createdAt, 'US') })
    .from(of)
    .where(
      and(
        id === undefined ? undefined : eq(of.id, id),
        state && eq(of.state, state),
        paymentId === undefined ? undefined : eq(of.paymentId, paymentId),
        account === undefined ? undefined : sql`${of.accountId} = (${named(account)})`,
        olderThan(of.createdAt, of.id, after),
      ),
    )
    .orderBy(desc(of.createdAt), desc(of.id))
    .limit(limit + 1);
  return toPage(rows, limit);
}

/** The statement of loanNamed with its one text as a parameter, however often it says it. */
function named(account: string) {
  const marker = '@name@';
  const parts = loanNamed(marker).split(marker);
  return sql.join(
    parts.flatMap((part, n) => (n === 0 ? [sql.raw(part)] : [sql`${account}::text`, sql.raw(part)])),
  );
}

/** All of a payment, in the order in which they were made; none when nothing is known of it. */
export const readPostingsOf = (db: Database, paymentId: string) =>
  tables(db)
    .select(columns)
    .from(of)
    .where(eq(of.paymentId, paymentId))
    .orderBy(asc(of.position))
    .limit(1000);

/** What is shown of a payment's postings beside the payment; `payment` is an SQL expression of its id. JSON text. */
export const postingsBeside = (payment: string) => `(
  select coalesce(json_agg(json_build_object('id', o.id, 'kind', o.kind, 'state', o.state, 'accountId', o.account_id,
      'amount', ${decimal('o.amount', 'o.currency')}, 'currency', o.currency, 'effectiveOn', o.effective_on,
      'reverses', o.reverses, 'heldBecause', o.held_because, 'transactionId', o.transfer_id,
      'decidedAt', ${instant('o.decided_at')}) order by o.position), '[]')::text
  from (select * from posting.postings where payment_id = ${payment} order by position desc limit 1000) as o)`;
