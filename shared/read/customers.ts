// Customers as a list: by name, or by whom something was told of last. Somebody who was several customers is there once,
// as the survivor.

import type { Database } from '../database.ts';
import type { Result } from '../result.ts';
import { instant } from './as-text.ts';
import { type Conditions, condition, type ListRefusal, list } from './list.ts';
import type { TextPage } from './page.ts';

export interface CustomerRow {
  customerId: string;
  cif: string | null;
  fullName: string | null;
  emailAddress: string | null;
  mobilePhoneNumber: string | null;
  dateOfBirth: string | null;
  verified: boolean;
  /** When something of the person was told last. */
  toldAt: string | null;
  /** How many are theirs, and how late the latest is. */
  loans: number;
  daysPastDue: number | null;
}

export const customerSorts = ['name', 'newest'] as const;
export type CustomerSort = (typeof customerSorts)[number];

const customers = list<CustomerSort>('customers', {
  from: 'servicing.customers',
  id: 'customer_id',
  orders: {
    // Who has no name is last.
    name: {
      key: `coalesce(servicing.name_key(full_name), chr(1114111)) collate "C"`,
      type: 'text',
      direction: 'asc',
    },
    newest: { key: `coalesce(told_at, '-infinity')`, type: 'instant', direction: 'desc' },
  },
});

/** SQL: what a row shows of a customer: `id`, the row of theirs, if there is one, and what `loansOf` looks up. */
export const customerColumns = (id: string, row: string) => `${id} as "customerId",
  (select value from servicing.identifiers where target = 'customer:' || ${id} and kind = 'cif'
   order by version desc limit 1) as cif,
  ${row}.full_name as "fullName", ${row}.email_address as "emailAddress", ${row}.mobile_phone_number as "mobilePhoneNumber",
  ${row}.date_of_birth as "dateOfBirth", coalesce(${row}.verified, false) as verified, ${instant(`${row}.told_at`)} as "toldAt",
  theirs.loans, theirs.days as "daysPastDue"`;

/** SQL: how many loans are theirs. Hardly anybody was several customers, and asking whom takes long. */
export const loansOf = (id: string) => `cross join lateral (
  select count(distinct borrowed.account_id)::int as loans, max(account.days_past_due) as days
  from servicing.loan_borrowers borrowed left join servicing.loan_accounts account using (account_id)
  where borrowed.customer_id = any (
    case when exists (select from servicing.customers merged where merged.merged_into = ${id})
      then array(select servicing.same_customers(${id})) else array[${id}] end)) theirs`;

export function readCustomers(
  db: Database,
  {
    filter,
    sort,
    after,
    limit,
  }: {
    filter: { verified?: boolean | undefined };
    sort: CustomerSort;
    after?: string | undefined;
    limit: number;
  },
): Promise<Result<TextPage<CustomerRow>, ListRefusal>> {
  const conditions: Conditions = {
    where: ['(merged_into is null or servicing.surviving_customer(customer_id) = customer_id)'],
    params: [],
  };
  condition(conditions, filter.verified, (value) => `verified = ${value}::boolean`);
  return customers<CustomerRow>(db, {
    sort,
    after,
    limit,
    conditions,
    select: customerColumns('shown.customer_id', 'shown'),
    joins: loansOf('shown.customer_id'),
  });
}
