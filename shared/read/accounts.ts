// Loans as lists: all of them by filters, those that are late, worst first, and one loan's schedule. See loans.ts for what
// counts as paid, received and missed.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import { type Bucket, buckets, ended } from './aging.ts';
import { decimal, instant } from './as-text.ts';
import { type Conditions, condition, type ListRefusal, list } from './list.ts';
import {
  type Instalment,
  instalmentJson,
  isNext,
  type LastPayment,
  lastPaymentOf,
  loanFacts,
} from './loans.ts';
import { pageKeys, type TextPage } from './page.ts';
import { loanNamed, sameAsNamed } from './resolve.ts';

export interface AccountRow {
  accountId: string;
  accountNumber: string | null;
  /** The main borrower, after all merges. */
  customerId: string | null;
  fullName: string | null;
  status: string | null;
  currency: string | null;
  loanAmount: string | null;
  currentBalance: string | null;
  arrearsAmount: string | null;
  daysPastDue: number | null;
  agingBucket: string | null;
  openedAt: string | null;
  closedAt: string | null;
}

/** What the status of a loan may be. */
export const accountStatuses = [
  ...(['pending_disbursement', 'active', 'in_arrears', 'paid_off', 'written_off', 'closed'] as const),
] as const;
export type AccountStatus = (typeof accountStatuses)[number];

export interface AccountFilter {
  /** Any name of a customer's: theirs, and of all who are the same, whatever their role. */
  customer?: string | undefined;
  status?: AccountStatus | undefined;
  bucket?: Bucket | undefined;
  /** Days past due, both included. */
  dpdFrom?: number | undefined;
  dpdTo?: number | undefined;
  currency?: string | undefined;
}

export const accountSorts = ['daysPastDue', 'openedAt', 'balance'] as const;
export type AccountSort = (typeof accountSorts)[number];

const days = 'coalesce(days_past_due, -1)';

const accounts = list<AccountSort>('accounts', {
  from: 'servicing.loan_accounts',
  id: 'account_id',
  orders: {
    daysPastDue: { key: days, type: 'integer', direction: 'desc' },
    openedAt: { key: `coalesce(opened_at, '-infinity')`, type: 'instant', direction: 'desc' },
    balance: { key: `coalesce(current_balance, '-infinity')`, type: 'decimal', direction: 'desc' },
  },
});

const customerById = (id: string) =>
  `(select customer_id, full_name, merged_into from servicing.customers where customer_id = ${id} limit 1)`;

/** SQL: looks up the main borrower of `shown`, as `owner (id)`, and who they are, as `c`; each once, and by its
 * key alone. */
const owner = `
  cross join lateral (select coalesce(shown.customer_id, (
    select customer_id from servicing.loan_borrowers where account_id = shown.account_id
    order by role <> 'borrower', customer_id limit 1)) as id offset 0) named
  left join lateral ${customerById('named.id')} n on true
  cross join lateral (
    select case when n.merged_into is null then named.id else servicing.surviving_customer(named.id) end as id offset 0) owner
  left join lateral ${customerById('owner.id')} c on true`;

const accountColumns = `shown.account_id as "accountId", shown.account_number as "accountNumber", owner.id as "customerId",
  coalesce(c.full_name, n.full_name) as "fullName", shown.status, shown.currency,
  ${decimal('shown.loan_amount', 'shown.currency')} as "loanAmount", ${decimal('shown.current_balance', 'shown.currency')} as "currentBalance",
  ${decimal('shown.arrears_amount', 'shown.currency')} as "arrearsAmount", shown.days_past_due as "daysPastDue",
  shown.aging_bucket as "agingBucket", ${instant('shown.opened_at')} as "openedAt", ${instant('shown.closed_at')} as "closedAt"`;

function accountConditions(filter: AccountFilter): Conditions {
  const { customer, status, bucket, dpdFrom, dpdTo, currency } = filter;
  const conditions: Conditions = { where: [], params: [] };
  condition(
    conditions,
    customer,
    (value) =>
      `account_id = any (array(
      select b.account_id from (${sameAsNamed(`${value}::text`)}) same join servicing.loan_borrowers b on b.customer_id = same.id))`,
  );
  condition(conditions, status, (value) => `status = ${value}`);
  condition(conditions, currency, (value) => `currency = ${value}`);
  const within: { from: number; to: number | undefined } | undefined = bucket && buckets[bucket];
  for (const from of [dpdFrom, within?.from])
    condition(conditions, from, (value) => `${days} >= ${value}::int`);
  for (const to of [dpdTo, within?.to])
    condition(conditions, to, (value) => `${days} between 0 and ${value}::int`);
  return conditions;
}

/** The latest, the largest or the most late first; what is unknown is last. */
export const readAccounts = (
  db: Database,
  {
    filter,
    sort,
    after,
    limit,
  }: { filter: AccountFilter; sort: AccountSort; after?: string | undefined; limit: number },
): Promise<Result<TextPage<AccountRow>, ListRefusal>> =>
  accounts<AccountRow>(db, {
    sort,
    after,
    limit,
    conditions: accountConditions(filter),
    select: accountColumns,
    joins: owner,
  });

export interface DelinquentRow extends AccountRow {
  missedInstalments: number;
  nextInstalment: Instalment | null;
  lastPayment: LastPayment | null;
}

const delinquent = list<'daysPastDue'>('delinquent accounts', {
  from: 'servicing.loan_accounts',
  id: 'account_id',
  orders: { daysPastDue: { key: days, type: 'integer', direction: 'desc' } },
});

/**
 * Loans that are late by `dpd` days or more, the most late first. Without a status those that are over are left out.
 * `today` is the business zone's calendar date.
 */
export function readDelinquentAccounts(
  db: Database,
  {
    dpd,
    status,
    after,
    limit,
    today,
  }: {
    dpd: number;
    status?: AccountStatus | undefined;
    after?: string | undefined;
    limit: number;
    today: string;
  },
): Promise<Result<TextPage<DelinquentRow>, ListRefusal>> {
  const conditions = accountConditions({ dpdFrom: Math.max(1, dpd), status });
  if (status === undefined) conditions.where.push(`(status is null or status not in (${ended}))`);
  conditions.params.push(today);
  const date = `$${conditions.params.length}::date`;
  return delinquent<DelinquentRow>(db, {
    sort: 'daysPastDue',
    after,
    limit,
    conditions,
    select: `${accountColumns},
      coalesce((select m.count from missed m where m.account_id = shown.account_id), 0) as "missedInstalments",
      (select ${instalmentJson} from coming i where i.account_id = shown.account_id) as "nextInstalment",
      ${lastPaymentOf('shown')} as "lastPayment"`,
    // By loan once for the whole page, since a page of loans has hundreds of instalments.
    ctes: `loan as materialized (select account_id from page),
      ${loanFacts(date)},
      missed as materialized (select account_id, count(*)::int as count from instalment where state = 'missed' group by 1),
      coming as materialized (
        select distinct on (i.account_id) i.* from instalment i where ${isNext('i', date)}
        order by i.account_id, i.due_on, i.payment_number)`,
    joins: owner,
  });
}

export interface SchedulePage extends TextPage<Instalment> {
  accountId: string;
  scheduleId: string | null;
}

const scheduleKeys = pageKeys('schedule', 'text', 'text', 'integer');
const noDay = '9999-12-31';

/** The instalments of a loan's current schedule, in their order; undefined where nobody has told of such a loan. */
export async function readSchedule(
  db: Database,
  name: string,
  { after, limit, today }: { after?: string | undefined; limit: number; today: string },
): Promise<Result<SchedulePage | undefined, ListRefusal>> {
  const [schedule, dueOn, number] = after === undefined ? [] : (scheduleKeys.decode(after) ?? [after]);
  const isForeign = schedule !== undefined && (dueOn === undefined || !/^\d{4}-\d\d-\d\d$/.test(dueOn));
  if (isForeign) return refused('foreign_key');
  const [row] = await db.query<{
    accountId: string;
    scheduleId: string | null;
    lines: Array<Instalment & { key: string }>;
  }>(
    `with loan as materialized (${loanNamed('$1::text')}),
     ${loanFacts('$2::date')}
     select a.account_id as "accountId", (select schedule_id from schedule) as "scheduleId",
       (select coalesce(json_agg(l.line order by l.due_on nulls last, l.payment_number), '[]') from (
          select ${instalmentJson} as line, i.due_on, i.payment_number from instalment i
          where $3::text is null or (coalesce(i.due_on, '${noDay}'), i.payment_number) > ($3::text::date, $4::int)
          order by i.due_on nulls last, i.payment_number limit $5::int) l) as lines
     from account a`,
    [name, today, dueOn ?? null, number ?? null, limit + 1],
  );
  if (!row) return ok(undefined);
  // A schedule that has been replaced since has no next page.
  if (schedule !== undefined && row.scheduleId !== schedule) return refused('foreign_key');
  const last = row.lines.length > limit ? row.lines[limit - 1] : undefined;
  return ok({
    accountId: row.accountId,
    scheduleId: row.scheduleId,
    rows: row.lines.slice(0, limit),
    next:
      last &&
      row.scheduleId !== null &&
      scheduleKeys.encode([row.scheduleId, last.dueOn ?? noDay, String(last.paymentNumber)]),
  } as SchedulePage);
}
