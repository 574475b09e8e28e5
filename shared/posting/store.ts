// The posting slice's only SQL; what staff do under a lock are functions of drizzle/migrations/0025_posting.sql. Who adds
// to the postings of a payment or reverses one holds its first posting's row.

import type { Database } from '../database.ts';
import { parseAmount } from '../money.ts';
import type { IdempotencyKey } from '../operations/idempotency-key.ts';
import type { OpenPosting, PaymentTold, PostingState } from './posting.ts';

/** After the nth time: 2, 4, 8, … seconds, at most a quarter of an hour. */
const nextTry = (attempts: string) =>
  `now() + least(900, power(2, least(${attempts}, 10))) * interval '1 second'`;

export interface PaymentToSave extends PaymentTold {
  /** The posting's id. */
  id: string;
}

/** Payments that have been told before are left as they are. */
export async function savePayments(tx: Database, payments: readonly PaymentToSave[]): Promise<void> {
  const column = (value: (payment: PaymentToSave) => string) => payments.map(value);
  await tx.query(
    `insert into posting.postings (id, kind, payment_id, reference_number, loan_account_number, account_id, amount, currency,
       effective_on, state, held_because, next_try_at, actor)
     select m.id, 'payment', m.payment_id, m.reference_number, m.loan_account_number, loan.account_id, m.amount, m.currency,
       m.paid_on, case when loan.account_id is null then 'held' else 'pending' end,
       case when loan.account_id is null then 'unknown_loan' end,
       case when loan.account_id is null then ${nextTry('0')} else now() end, m.actor
     from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::numeric[], $6::text[], $7::date[], $8::text[]) with ordinality
       as m (id, payment_id, reference_number, loan_account_number, amount, currency, paid_on, actor, n)
     cross join lateral (select servicing.loan_named(m.loan_account_number) as account_id) as loan
     order by m.n
     on conflict do nothing`,
    [
      column((p) => p.id),
      column((p) => p.paymentId),
      column((p) => p.referenceNumber),
      column((p) => p.loanAccountNumber),
      column((p) => p.amount),
      column((p) => p.currency),
      column((p) => p.paidOn),
      column((p) => p.actor),
    ],
  );
}

/**
 * Those of these payments that have postings. Until the transaction ends nobody else changes them. Rows are locked in the
 * order of their positions, as by saveDecided, so that the two do not deadlock.
 */
export async function lockPayments(tx: Database, paymentIds: readonly string[]): Promise<Set<string>> {
  const rows = await tx.query<{ id: string }>(
    'select payment_id as id from posting.postings where payment_id = any ($1::uuid[]) order by position for update',
    [paymentIds],
  );
  return new Set(rows.map(({ id }) => id));
}

export async function isReversalTaken(tx: Database, paymentId: string, reversalId: string): Promise<boolean> {
  const rows = await tx.query(
    'select from posting.postings where payment_id = $1 and reversal_id = $2 limit 1',
    [paymentId, reversalId],
  );
  return rows.length > 0;
}

/** Newest first; the payment is locked. */
export async function openPostings(tx: Database, paymentId: string): Promise<OpenPosting[]> {
  const rows = await tx.query<{ id: string; state: PostingState; left_amount: string; currency: string }>(
    `select id, state, round(amount - reversed, payment_service.currency_exponent(currency))::text as left_amount, currency
     from posting.postings where payment_id = $1 and kind = 'payment' and state <> 'void' and reversed < amount
     order by position desc for update`,
    [paymentId],
  );
  return rows.map(({ id, state, left_amount, currency }) => {
    const left = parseAmount(left_amount, currency);
    if (!left.ok) throw new Error(`a posting has ${left.refusal} left`);
    return { id, state, leftMinor: left.value.amountMinor };
  });
}

export interface ReversalToSave {
  id: string;
  reverses: string;
  reversalId: string;
  amount: string;
  effectiveOn: string;
  state: 'waiting' | 'pending';
  reason: string;
  actor: string;
}

export async function saveReversal(tx: Database, r: ReversalToSave): Promise<void> {
  await tx.query(
    `with lessened as (
       update posting.postings set reversed = reversed + $4::numeric where id = $2 returning *
     )
     insert into posting.postings (id, kind, payment_id, reference_number, loan_account_number, account_id, amount, currency,
       effective_on, reverses, reversal_id, state, reason, actor)
     select $1, 'reversal', payment_id, reference_number, loan_account_number, account_id, $4, currency,
       $5, id, $3, $6, $7, $8
     from lessened`,
    [r.id, r.reverses, r.reversalId, r.amount, r.effectiveOn, r.state, r.reason, r.actor],
  );
}

/** Those of these payments' postings that are held and wholly taken back will never be posted, nor what took them back. */
export async function voidTakenBack(tx: Database, ids: readonly string[]): Promise<void> {
  await tx.query(
    `with gone as (
       update posting.postings set state = 'void', decided_at = now()
       where id = any ($1::uuid[]) and kind = 'payment' and state = 'held' and reversed = amount returning id
     )
     update posting.postings set state = 'void', decided_at = now()
     where reverses in (select id from gone) and state <> 'posted'`,
    [ids],
  );
}

/** Writes messages for payments of which nothing was told before, and for their reversals. */
export async function tellAgain(
  tx: Database,
  payments: ReadonlyArray<{ paymentId: string; eventId: string }>,
): Promise<void> {
  await tx.query('select payment_service.post_again($1::uuid[], $2::uuid[])', [
    payments.map((p) => p.paymentId),
    payments.map((p) => p.eventId),
  ]);
}

/** Payments after this one, by when they were recorded, that have no posting. As the owner alone may. */
export async function paymentsWithoutPosting(
  db: Database,
  range: { from: Date; until: Date },
  after: { at: string; id: string } | undefined,
  limit: number,
): Promise<Array<{ id: string; at: string; eventId: string }>> {
  return db.query(
    `select p.id, p.created_at::text as at, p.event_id as "eventId" from payment_service.payments p
     where p.payment_date >= $1 and p.payment_date < $2
       and (p.created_at, p.id) > ($3::timestamptz, $4::uuid)
       and not exists (select from posting.postings o where o.payment_id = p.id)
     order by p.created_at, p.id limit $5`,
    [
      range.from.toISOString(),
      range.until.toISOString(),
      after?.at ?? '-infinity',
      after?.id ?? '00000000-0000-0000-0000-000000000000',
      limit,
    ],
  );
}

/** Makes this transaction the only one that asks the ledger until it ends; false when another one is. Never waits. */
export async function tryPostingLock(tx: Database): Promise<boolean> {
  const [row] = await tx.query<{ locked: boolean }>(
    `select pg_try_advisory_xact_lock(hashtextextended('posting.postings', 0)) as locked`,
  );
  return row?.locked === true;
}

export interface DuePosting {
  /** The key. */
  id: string;
  kind: 'payment' | 'reversal';
  paymentId: string;
  referenceNumber: string;
  accountId: string;
  amount: string;
  currency: string;
  effectiveOn: string;
  /** Of what it reverses, the ledger's id. */
  transferId: string | null;
  reason: string | null;
  actor: string;
}

export async function duePostings(db: Database, limit: number): Promise<DuePosting[]> {
  return db.query<DuePosting>(
    `select p.id, p.kind, p.payment_id as "paymentId", p.reference_number as "referenceNumber",
       coalesce(t.account_id, p.account_id) as "accountId",
       round(p.amount, payment_service.currency_exponent(p.currency))::text as amount, p.currency,
       p.effective_on::text as "effectiveOn", t.transfer_id as "transferId", p.reason, p.actor
     from posting.postings p left join posting.postings t on t.id = p.reverses
     where p.state = 'pending' and p.next_try_at <= now()
     order by p.next_try_at, p.position limit $1`,
    [limit],
  );
}

export interface Decided {
  id: string;
  /** `unknown`: it stays pending and is asked about again. */
  outcome: 'posted' | 'refused' | 'unknown';
  accountId: string;
  transferId: string | null;
  version: string | null;
  code: string | null;
  message: string | null;
}

/** What the ledger has answered, and whatever may go on now that it has. */
export async function saveDecided(tx: Database, decided: readonly Decided[]): Promise<void> {
  const column = (value: (one: Decided) => string | null) => decided.map(value);
  await tx.query('select from posting.postings where id = any ($1::uuid[]) order by position for update', [
    decided.map(({ id }) => id),
  ]);
  const saved = await tx.query<{ id: string; state: PostingState }>(
    `update posting.postings p
     set state = case a.outcome when 'posted' then 'posted' when 'refused' then 'held' else 'pending' end,
       account_id = a.account_id, transfer_id = a.transfer_id, transfer_version = a.version,
       held_because = case a.outcome when 'refused' then a.code end,
       held_message = case when a.outcome <> 'posted' then a.message end,
       attempts = case a.outcome when 'posted' then p.attempts else p.attempts + 1 end,
       next_try_at = case a.outcome when 'posted' then p.next_try_at else ${nextTry('p.attempts + 1')} end,
       decided_at = case a.outcome when 'posted' then now() end
     from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[])
       as a (id, outcome, account_id, transfer_id, version, code, message)
     where p.id = a.id and p.state = 'pending'
     returning p.id, p.state`,
    [
      column((d) => d.id),
      column((d) => d.outcome),
      column((d) => d.accountId),
      column((d) => d.transferId),
      column((d) => d.version),
      column((d) => d.code),
      column((d) => d.message),
    ],
  );
  const idsOf = (state: PostingState) => saved.filter((row) => row.state === state).map(({ id }) => id);
  const [posted, held] = [idsOf('posted'), idsOf('held')];
  if (posted.length > 0) await letGoOn(tx, posted);
  if (held.length > 0) await voidTakenBack(tx, held);
}

/** A statement of its own, so that it sees what began to wait until the one before it had the row. */
async function letGoOn(tx: Database, posted: readonly string[]): Promise<void> {
  await tx.query(
    `update posting.postings w set state = 'pending', next_try_at = now()
     where w.state = 'waiting' and (
       w.reverses = any ($1::uuid[])
       or w.kind = 'payment' and w.move_id in (
         select r.move_id from posting.postings r where r.id = any ($1::uuid[]) and r.kind = 'reversal' and r.move_id is not null)
       and not exists (
         select from posting.postings r where r.move_id = w.move_id and r.kind = 'reversal' and r.state <> 'posted'))`,
    [posted],
  );
}

/**
 * Of what is held and due, what the ledger may be asked about becomes pending: a payment's loan is looked for anew unless
 * staff have said which one it is. Answers how many were looked at.
 */
export async function tryHeldAgain(db: Database, limit: number): Promise<number> {
  const rows = await db.query(
    `with due as (
       select p.id, p.kind, case when p.kind = 'payment' and p.matched_by is null and p.move_id is null
         then coalesce(servicing.loan_named(p.loan_account_number), p.account_id) else p.account_id end as account_id
       from posting.postings p where p.state = 'held' and p.next_try_at <= now()
       order by p.next_try_at limit $1 for update skip locked
     )
     update posting.postings p
     set account_id = due.account_id,
       state = case when due.account_id is null and due.kind = 'payment' then 'held' else 'pending' end,
       attempts = case when due.account_id is null and due.kind = 'payment' then p.attempts + 1 else p.attempts end,
       next_try_at = case when due.account_id is null and due.kind = 'payment' then ${nextTry('p.attempts + 1')} else now() end
     from due where p.id = due.id returning p.id`,
    [limit],
  );
  return rows.length;
}

export interface PostingQueue {
  /** Not counted beyond 10,000. */
  pending: number;
  /** Since the ledger should first have been asked about what is tried next; 0 when nothing is. */
  oldestSeconds: number;
  /** Not counted beyond 10,000. */
  held: number;
}

export async function postingQueue(db: Database): Promise<PostingQueue> {
  const [row] = await db.query<PostingQueue>(
    `select (select count(*)::int from (select from posting.postings where state = 'pending' limit 10000) as queued) as pending,
       (select count(*)::int from (select from posting.postings where state = 'held' limit 10000) as queued) as held,
       coalesce((select greatest(0, round(extract(epoch from now() - next_try_at), 1)) from posting.postings
                 where state = 'pending' order by next_try_at limit 1), 0)::float as "oldestSeconds"`,
  );
  if (!row) throw new Error('the state of a queue has one row');
  return row;
}

export interface Match {
  id: string;
  accountId: string;
  reason: string;
  actor: string;
}

/** Undefined when no payment's posting has this id. */
export async function saveMatch(
  db: Database,
  { id, accountId, reason, actor }: Match,
  key: IdempotencyKey | undefined,
) {
  const [row] = await db.query<{
    outcome: 'matched' | 'repeated' | 'reused' | 'not_held';
    state: PostingState | null;
  }>('select * from posting.match_posting($1, $2, $3, $4, $5, $6)', [
    actor,
    key?.key ?? null,
    key?.request ?? null,
    id,
    accountId,
    reason,
  ]);
  return row;
}

export interface Move {
  paymentId: string;
  to: ReadonlyArray<{ accountId: string; amount: string }>;
  reason: string;
  actor: string;
}

/** Undefined when nothing is known of such a payment. `posted` is what there is to move, as decimal text. */
export async function saveMove(
  db: Database,
  { paymentId, to, reason, actor }: Move,
  key: IdempotencyKey | undefined,
) {
  const [row] = await db.query<{
    outcome:
      | 'moved'
      | 'unchanged'
      | 'repeated'
      | 'reused'
      | 'unsettled'
      | 'nothing_posted'
      | 'sum_differs'
      | 'too_many_decimals';
    moveId: string | null;
    posted: string | null;
    currency: string | null;
  }>(
    `select outcome, move_id as "moveId", currency,
       round(posted, payment_service.currency_exponent(currency))::text as posted
     from posting.move_payment($1, $2, $3, $4, $5::text[], $6::numeric[], $7)`,
    [
      actor,
      key?.key ?? null,
      key?.request ?? null,
      paymentId,
      to.map((part) => part.accountId),
      to.map((part) => part.amount),
      reason,
    ],
  );
  return row;
}
