// The servicing slice's SQL for erasing a person, in the caller's transaction.

import type { Database } from '../database.ts';
import type { Fields } from '../stream/envelope.ts';
import type { Erased, ErasureRequest } from './erasure.ts';
import { type AggregateKey, type AggregateKind, aggregateKinds } from './event-type.ts';
import { projections } from './projections.ts';
import { erasedHash } from './store.ts';

/** Alone: folds and rebuilds hold the shared form of it until they end. */
export const lockForErasing = (tx: Database): Promise<unknown> =>
  tx.query(`select pg_advisory_xact_lock(hashtextextended('servicing.erasure', 0))`);

/** All that are the same customer as this one; none when nobody has told about it. */
export async function whoIs(tx: Database, customerId: string): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    `select id from servicing.same_customers($1) as id
     where exists (select from servicing.customers where customer_id = $1)
        or exists (select from servicing.loan_borrowers where customer_id = $1)
        or exists (select from servicing.conversations where customer_id = $1)
        or exists (select from servicing.subject_keys where subject = 'customer:' || $1)
     order by id`,
    [customerId],
  );
  return rows.map(({ id }) => id);
}

/** Kinds that belong to a customer, or to a loan of theirs. Accounts and conversations may be several people's. */
const belongings = aggregateKinds.filter(
  (kind) =>
    !['account', 'conversation', 'customer'].includes(kind) && 'customer_id' in projections[kind].columns,
);

/** What is these customers' alone, and what they share with others. */
export async function relatedTo(
  tx: Database,
  customers: readonly string[],
): Promise<{ own: AggregateKey[]; shared: AggregateKey[] }> {
  const named = (kind: AggregateKind, where: string) =>
    `select '${kind}:' || ${projections[kind].key} as key, false as shared from servicing.${projections[kind].table} where ${where}`;
  const byCustomer = (kind: AggregateKind) => {
    const ofLoan =
      'account_id' in projections[kind].columns
        ? ' or (customer_id is null and account_id in (select account_id from accounts where not shared))'
        : '';
    return named(kind, `customer_id = any ($1)${ofLoan}`);
  };
  const rows = await tx.query<{ key: AggregateKey; shared: boolean }>(
    `with accounts as (
       select b.account_id, bool_or(b.customer_id <> all ($1)) as shared
       from servicing.loan_borrowers b
       where b.account_id in (select account_id from servicing.loan_borrowers where customer_id = any ($1))
       group by b.account_id
     ),
     talks as (
       select 'conversation:' || conversation_id as key from servicing.conversations where customer_id = any ($1)
       union
       select t.key from servicing.events e cross join unnest(array[e.aggregate] || e.related) as t (key)
       where e.subject = any ($2) and starts_with(t.key, 'conversation:')
     )
     select 'account:' || account_id as key, shared from accounts
     union all
     select t.key, exists (
       select from servicing.events e
       where e.aggregate = t.key and starts_with(e.subject, 'customer:') and e.subject <> all ($2))
     from talks t
     ${belongings.map((kind) => `union all ${byCustomer(kind)}`).join('\n')}
     union all
     ${named(
       'received_payment',
       `loan_account_number in (
          select l.account_number from servicing.loan_accounts l join accounts a using (account_id) where not a.shared)
        or cif in (select value from servicing.identifiers where target = any ($2) and kind = 'cif')`,
     )}
     order by key`,
    [customers, customers.map((id) => `customer:${id}`)],
  );
  const keysOf = (shared: boolean) => [
    ...new Set(rows.filter((row) => row.shared === shared).map(({ key }) => key)),
  ];
  return { own: keysOf(false), shared: keysOf(true) };
}

/** The number of those whose key was not gone. One that has none yet gets none later. */
export async function eraseSubjects(tx: Database, subjects: readonly string[]): Promise<number> {
  const rows = await tx.query(
    `insert into servicing.subject_keys as known (subject, erased_at) select unnest($1::text[]), now()
     on conflict (subject) do update set master = null, wrapped = null, erased_at = now() where known.erased_at is null
     returning 1`,
    [subjects],
  );
  return rows.length;
}

export const forgetHashesOf = (tx: Database, subjects: readonly string[]): Promise<unknown> =>
  tx.query(
    `update servicing.event_ids i set payload_hash = $2 from servicing.events e
     where e.subject = any ($1) and i.event_id = e.event_id and i.payload_hash <> $2`,
    [subjects, erasedHash],
  );

/** Words that nobody's name has any more; under the lock of erasing, so that nobody is getting one of them now. */
export const forgetNameWords = (tx: Database): Promise<unknown> =>
  tx.query('select servicing.forget_name_words()');

export async function countEvents(tx: Database, subjects: readonly string[]): Promise<number> {
  const [row] = await tx.query<{ events: number }>(
    'select count(*)::int as events from servicing.events where subject = any ($1)',
    [subjects],
  );
  return row?.events ?? 0;
}

/** Aggregates that events of these subjects tell about, and those that are the subjects. */
export async function touchedBy(
  tx: Database,
  subjects: readonly string[],
  kinds: readonly AggregateKind[],
): Promise<AggregateKey[]> {
  const rows = await tx.query<{ key: AggregateKey }>(
    `select t.key from servicing.events e cross join unnest(array[e.aggregate] || e.related) as t (key) where e.subject = any ($1)
     union select unnest($1::text[]) order by 1`,
    [subjects],
  );
  return rows.map(({ key }) => key).filter((key) => kinds.some((kind) => key.startsWith(`${kind}:`)));
}

type Waiting = 'inbox' | 'dead_letters';
const keyOfWaiting = { inbox: 'position', dead_letters: 'id' } as const;

/** Those that have one of these ids somewhere in their fields. */
export const lettersAmong = (
  tx: Database,
  table: Waiting,
  ids: readonly string[],
): Promise<Array<{ key: string; source: string; fields: Fields }>> => {
  const written = ids.flatMap((id) => [id, inJson(id), inJson(inJson(id))]);
  return tx.query(
    `select ${keyOfWaiting[table]}::text as key, source, fields from servicing.${table} w
     where exists (select from unnest($1::text[]) as id where strpos(w.fields::text, id) > 0) order by ${keyOfWaiting[table]}`,
    [[...new Set(written)]],
  );
};

const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);

export const deleteWaiting = (tx: Database, table: Waiting, keys: readonly string[]): Promise<unknown> =>
  tx.query(`delete from servicing.${table} where ${keyOfWaiting[table]}::text = any ($1)`, [keys]);

export const saveErasure = (tx: Database, request: ErasureRequest, erased: Erased): Promise<unknown> =>
  tx.query(
    `insert into servicing.erasures (customer_id, subjects, events, reason, requested_by) values ($1, $2, $3, $4, $5)`,
    [request.customerId, erased.subjects, erased.events, request.reason, request.requestedBy],
  );

/** The bank's keys of these customers, by which payments know them. */
export async function cifsOf(tx: Database, customers: readonly string[]): Promise<string[]> {
  const rows = await tx.query<{ value: string }>(
    `select distinct value from servicing.identifiers where kind = 'cif' and target = any ($1)`,
    [customers.map((id) => `customer:${id}`)],
  );
  return rows.map(({ value }) => value);
}
