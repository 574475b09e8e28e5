// A reference as screens show it: its payments, each with all that became of it, in one statement. What is told of an
// attempt that failed is told although there is no payment.

import type { Database } from '../database.ts';
import { decimal, instant } from './as-text.ts';
import type { PaymentRow, PaymentStatus } from './payments.ts';
import { postingsBeside } from './postings.ts';

/** As in pages; of a reference that has only failed attempts, what the last of them said, and null for the rest. */
export type PaymentDetails = {
  [Key in keyof Omit<PaymentRow, 'namespace' | 'referenceNumber' | 'metadata' | 'status'>]:
    | PaymentRow[Key]
    | null;
} & {
  namespace: string;
  referenceNumber: string;
  /** JSON text. */
  metadata: string;
  status: PaymentStatus;
  /** JSON text: a list of entries, oldest first, each with `type`, `at`, `actor` and `source`. */
  history: string;
  /** JSON text: where it is posted in the ledger, in the order in which that was asked for. */
  postings: string;
};

/** The newest that are shown of one payment. */
const entriesLimit = 1000;

/** Entries of the row `owner`, ordered as they were told: a payment, then what waited for it. */
const historyOf = (owner: string, received: string) => `(
  select coalesce(json_agg(e.entry order by e.at, e.rank, e.tie, e.id), '[]')::text from (
    select * from (
      ${received}
      select v.id, coalesce(v.settled_at, v.created_at) as at, 3 as rank, coalesce(v.reversed_total, 0) as tie, json_build_object(
          'type', case v.status when 'applied' then 'reversed' when 'held' then 'reversal_held' else 'reversal_refused' end,
          'at', ${instant('coalesce(v.settled_at, v.created_at)')},
          'actor', v.actor, 'source', v.source,
          'reversalId', v.id, 'reversalReference', v.reversal_reference,
          'amount', ${decimal('coalesce(v.applied_amount, v.amount)', 'coalesce(v.currency, r.currency)')},
          'currency', coalesce(v.currency, r.currency),
          'reason', v.reason, 'refusal', v.refusal, 'occurredAt', ${instant('v.occurred_at')}) as entry
      from payment_service.payment_reversals v
      left join payment_service.payment_references r using (namespace, reference_number)
      where v.namespace = ${owner}.namespace and v.reference_number = ${owner}.reference_number
      union all
      select f.id, f.created_at, 1, 0, json_build_object(
          'type', 'failed', 'at', ${instant('f.created_at')}, 'actor', f.actor, 'source', f.source,
          'failureReference', f.failure_reference,
          'amount', ${decimal('f.amount', 'f.currency')}, 'currency', f.currency,
          'reason', f.reason, 'occurredAt', ${instant('f.occurred_at')})
      from payment_service.payment_failures f
      where f.namespace = ${owner}.namespace and f.reference_number = ${owner}.reference_number
    ) as every order by at desc, rank desc, tie desc, id desc limit ${entriesLimit}
  ) as e)`;

const receivedEntry = `
      select p.id, p.created_at as at, 2 as rank, 0::numeric as tie, json_build_object(
          'type', 'received', 'at', ${instant('p.created_at')}, 'actor', p.actor, 'source', p.source,
          'amount', ${decimal('p.amount', 'p.currency')}, 'currency', p.currency) as entry
      union all`;

const statement = `
  select p.id, p.namespace, p.reference_number as "referenceNumber", p.loan_account_number as "loanAccountNumber", p.cif,
    ${decimal('p.amount', 'p.currency')} as amount, p.currency, ${instant('p.payment_date')} as "paymentDate",
    p.payment_channel as "paymentChannel", p.source, p.metadata::text as metadata, p.linked_payment_id as "linkedPaymentId",
    p.requires_receipt as "requiresReceipt", payment_service.payment_status(p.amount, coalesce(r.reversed, 0)) as status,
    ${decimal('coalesce(r.reversed, 0)', 'p.currency')} as "reversedAmount", ${instant('p.created_at')} as "createdAt",
    ${historyOf('p', receivedEntry)} as history, ${postingsBeside('p.id')} as postings, 1 as kind, p.created_at as sorted_at
  from payment_service.payments p
  left join payment_service.payment_references r on r.namespace = p.namespace and r.reference_number = p.reference_number
  where p.reference_number = $1
  union all
  select null, a.namespace, a.reference_number, a.loan_account_number, a.cif, ${decimal('a.amount', 'a.currency')}, a.currency,
    null, a.payment_channel, a.source, '{}', null, null, 'failed', null, ${instant('a.created_at')},
    ${historyOf('a', '')}, '[]', 2, a.created_at
  from (
    select distinct on (f.namespace) f.* from payment_service.payment_failures f
    where f.reference_number = $1 and not exists (
      select from payment_service.payment_references r where r.namespace = f.namespace and r.reference_number = f.reference_number)
    order by f.namespace, f.created_at desc, f.id desc
  ) as a
  order by kind, sorted_at, id limit 100`;

/**
 * Every payment with this reference, the first recorded first: other namespaces and accepted conflicts follow, then
 * namespaces in which only attempts failed.
 */
export async function readPaymentsByReference(
  db: Database,
  referenceNumber: string,
): Promise<PaymentDetails[]> {
  const rows = await db.query<PaymentDetails & { kind: number; sorted_at: Date }>(statement, [
    referenceNumber,
  ]);
  return rows.map(({ kind: _, sorted_at: __, ...row }) => row);
}
