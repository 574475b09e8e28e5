// Any name of a customer or a loan, and whom it means: their own ids first, then the names that events gave them (of
// several the one given last), then what belongs to them. Texts are compared exactly. Merged customers are their survivor.

import type { Database } from '../database.ts';

/** What the text may name, with the customer, the loan or the application that it says it belongs to. */
const named = (name: string) => `
  select case i.target when 'customer:' || i.value then 1 when 'account:' || i.value then 1 else 2 end as rank,
    i.version, i.target,
    case when i.target like 'customer:%' then substr(i.target, 10) end as customer_id,
    case when i.target like 'account:%' then substr(i.target, 9) end as account_id, null as application_number
  from servicing.identifiers i where i.value = ${name}
  union all
  select 3, '', '', customer_id, account_id, application_number from servicing.applications where application_number = ${name}
  union all
  select 4, '', '', customer_id, account_id, application_number from servicing.conversations where conversation_id = ${name}
  union all
  select 5, '', '', customer_id, account_id, null from servicing.notifications where notification_id = ${name}
  union all
  select 5, '', '', customer_id, account_id, null from servicing.statements where statement_id = ${name}
  union all
  select 5, '', '', customer_id, account_id, null from servicing.approvals where request_id = ${name}
  union all
  select 5, '', '', customer_id, account_id, null from servicing.collection_cases where case_id = ${name}
  union all
  select 5, '', '', null, account_id, null from servicing.repayment_schedules where schedule_id = ${name}
  union all
  select 5, '', '', null, account_id, null from servicing.account_payments where payment_key = ${name}`;

/** A customer of whom nothing has been told yet but that something is theirs. */
const mentioned = (name: string) => `
  select 6, '', '', ${name}, null, null
  where exists (select from servicing.loan_borrowers where customer_id = ${name})
     or exists (select from servicing.applications where customer_id = ${name})
     or exists (select from servicing.conversations where customer_id = ${name})
     or exists (select from servicing.notifications where customer_id = ${name})`;

const accountOf = `coalesce(n.account_id,
    (select a.account_id from servicing.applications a where a.application_number = n.application_number),
    (select a.account_id from servicing.loan_accounts a where a.application_number = n.application_number
     order by a.account_id limit 1))`;

/** SQL: the row (id) of the surviving customer whom the text names, or none. `name` is an SQL expression of type text. */
export const customerNamed = (name: string) => `
  select servicing.surviving_customer(found.customer_id) as id
  from (
    select n.rank, n.version, n.target, coalesce(n.customer_id,
      (select a.customer_id from servicing.applications a where a.application_number = n.application_number),
      (select l.customer_id from servicing.loan_accounts l where l.account_id = ${accountOf}),
      (select b.customer_id from servicing.loan_borrowers b where b.account_id = ${accountOf}
       order by b.customer_id limit 1)) as customer_id,
      n.customer_id is null as indirect
    from (${named(name)} union all ${mentioned(name)}) n
  ) found
  where found.customer_id is not null
  order by found.rank, found.rank = 1 and found.indirect, found.version collate "C" desc, found.target limit 1`;

/** SQL: rows (id) of all who are, after all merges, the customer whom the text names. */
export const sameAsNamed = (name: string) =>
  `select same.id from (${customerNamed(name)}) me cross join lateral servicing.same_customers(me.id) as same (id)`;

/** SQL: the row (account_id) of the loan that the text names, or none. */
export const loanNamed = (name: string) => `
  select found.account_id
  from (select n.rank, n.version, n.target, ${accountOf} as account_id from (${named(name)}) n) found
  where found.account_id is not null
  order by found.rank, found.version collate "C" desc, found.target limit 1`;

/** The surviving customer's id: of the customer that is named, or whose the loan, application or other thing is. */
export async function resolveCustomer(db: Database, name: string): Promise<string | undefined> {
  const [row] = await db.query<{ id: string }>(customerNamed('$1::text'), [name]);
  return row?.id;
}

/** The account id of the loan that is named, or that the application, conversation or other thing is about. */
export async function resolveLoan(db: Database, name: string): Promise<string | undefined> {
  const [row] = await db.query<{ account_id: string }>(loanNamed('$1::text'), [name]);
  return row?.account_id;
}
