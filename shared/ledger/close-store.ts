// The ledger's SQL of the close of a day.

import type { Database } from '../database.ts';
import { bucketOfDaysSql } from './aging.ts';

export interface Closing {
  day: string;
  now: Date;
  /** Loans with ids after this one ... */
  after: string;
  /** ... up to this one. */
  upTo: string;
  loans: number;
}

export async function beginClose(db: Database, day: string, now: Date): Promise<void> {
  await db.query('insert into ledger.closes (day, started_at) values ($1, $2) on conflict do nothing', [
    day,
    now,
  ]);
}

/** Waits for another's step. Undefined when the day is closed. */
export async function reachedBy(tx: Database, day: string): Promise<string | undefined> {
  const [row] = await tx.query<{ reached: string }>(
    'select reached from ledger.closes where day = $1 and finished_at is null for update',
    [day],
  );
  return row?.reached;
}

export async function nextLoans(
  tx: Database,
  after: string,
  limit: number,
): Promise<{ loans: number; upTo: string | undefined }> {
  const [row] = await tx.query<{ loans: number; upTo: string | null }>(
    `select count(*)::int as loans, max(loan_id) as "upTo"
     from (select loan_id from ledger.positions where loan_id > $1 order by loan_id limit $2) as next`,
    [after, limit],
  );
  return { loans: row?.loans ?? 0, upTo: row?.upTo ?? undefined };
}

export async function finishClose(tx: Database, day: string, now: Date): Promise<void> {
  await tx.query('update ledger.closes set finished_at = $2 where day = $1', [day, now]);
}

/** In the order in which whoever posts locks them, too. */
export async function lockAccruing(
  tx: Database,
  { day, after, upTo }: Closing,
  lockTimeoutMs: number,
): Promise<void> {
  await tx.query(
    `with setting as materialized (select set_config('lock_timeout', $4, true) as lock_timeout)
     select count(*) from (
       select from setting, ledger.positions p join ledger.loans l on l.loan_id = p.loan_id
       where p.loan_id > $1 and p.loan_id <= $2 and l.interest_rate_bps > 0 and l.opened_on <= $3 and lock_timeout <> ''
       order by p.loan_id for update of p) as locked`,
    [after, upTo, day, String(lockTimeoutMs)],
  );
}

/**
 * A day's interest is principal at its end x rate / 3,650,000, in minor units; the base is the sum of principal x rate.
 * What is effective after the day does not count yet. Interest never falls below nothing: what would take it there
 * waits for later days. What belongs to a loan is looked up loan by loan, here and below: no planner knows how many loans a
 * range of ids has, and where it expects one, a join compares each of them with every other.
 */
const accrueStatement = `
  with due as (
    select p.loan_id, p.version, ledger.minor_units(p.currency) as minor, p.interest, p.accrued,
      p.accrual_base + l.interest_rate_bps * ledger.minor_units(p.currency)
        * (p.principal * ($3::date - since.day) - coalesce(later.principal_days, 0)) as base
    from ledger.positions p
    cross join lateral (select * from ledger.loans l where l.loan_id = p.loan_id offset 0) as l
    cross join lateral (select coalesce(p.closed_on, l.opened_on - 1) as day) as since
    left join lateral (
      select sum(t.principal * (least(t.effective_on, $3::date + 1) - since.day - 1)) as principal_days
      from ledger.transfers t where t.loan_id = p.loan_id and t.effective_on > since.day + 1) as later on true
    where p.loan_id > $1 and p.loan_id <= $2 and l.interest_rate_bps > 0 and l.opened_on <= $3
      and coalesce(p.closed_on < $3, true)
  ), accrued as (
    select loan_id, version, base, greatest(floor(base / 3650000) / minor - accrued, -interest) as amount from due
  ), moved as (
    update ledger.positions p set accrual_base = trunc(a.base, 0), accrued = p.accrued + a.amount, interest = p.interest + a.amount,
      income = p.income - a.amount, version = p.version + (a.amount <> 0)::int, closed_on = $3,
      updated_at = case when a.amount <> 0 then $4 else p.updated_at end
    from accrued a where p.loan_id = a.loan_id and p.version = a.version
    returning p.*, a.amount
  ), told as (
    insert into outbox.messages (destination, topic, key, event_id, payload)
    select 'inbox', 'ledger.balance.changed.v1', loan_id, gen_random_uuid(), json_build_object('account_id', loan_id,
      'version', version, 'total_outstanding', round(principal + interest + fees, ledger.currency_exponent(currency))::text,
      'currency', currency)::text
    from moved where amount <> 0
  ), posted as (
    insert into ledger.transfers (loan_id, version, id, key, request_hash, kind, effective_on, recorded_at, currency, principal,
      interest, fees, suspense, write_off, recovery, cash, income, principal_after, interest_after, fees_after, suspense_after,
      charges, scheduled, actor, accrues_on)
    select loan_id, version, named.id, named.key, named.id, 'accrual', $3, $4, currency, 0, amount, 0, 0, 0, 0, 0, -amount,
      principal, interest, fees, suspense, 0, 0, 'job:close-of-day', $3
    from moved
    cross join lateral (
      select key, encode(substring(sha256(convert_to(key, 'UTF8')) for 16), 'hex')::uuid as id
      from (select 'accrual ' || $3::text || ' ' || moved.loan_id as key) as k) as named
    where amount <> 0
    returning 1
  )
  select count(*)::int as accruals from posted`;

/** Answers how many accruals it posted. */
export async function accrue(tx: Database, { day, now, after, upTo }: Closing): Promise<number> {
  const [row] = await tx.query<{ accruals: number }>(accrueStatement, [after, upTo, day, now]);
  return row?.accruals ?? 0;
}

const ageStatement = `
  with found as (
    select p.loan_id, p.currency, p.version, p.principal + p.interest + p.fees as total,
      case when late then $3::date - o.due_on else 0 end as days,
      case when late then least(o.unpaid, owed.amount) else 0 end as overdue,
      case when late then o.number end as number, case when late then o.due_on end as due_on
    from ledger.positions p
    cross join lateral (
      select sum(i.amount - i.paid) as unpaid, min(i.due_on) as due_on,
        (array_agg(i.number order by i.due_on, i.number))[1] as number
      from ledger.instalments i
      where i.loan_id = p.loan_id and i.schedule_id = p.schedule_id and i.due_on < $3 and i.paid < i.amount) as o
    cross join lateral (select p.principal + p.interest + p.fees - p.charges_open as amount) as owed
    cross join lateral (select o.unpaid is not null and owed.amount > 0 as late) as l
    where p.loan_id > $1 and p.loan_id <= $2
  ), compared as (
    select f.*, ${bucketOfDaysSql('f.days')} as bucket, a.bucket as old_bucket, a.previous_bucket, a.bucket_since,
      a.loan_id is null as is_new, coalesce(a.version, -1) <> f.version as balance_changed,
      (coalesce(a.days_past_due, 0), coalesce(a.overdue_amount, 0), a.oldest_number)
        is distinct from (f.days, f.overdue, f.number) as age_changed
    from found f
    left join lateral (select * from ledger.agings a where a.loan_id = f.loan_id offset 0) as a on true
    where a.loan_id is null or a.closed_on <= $3
  ), saved as (
    insert into ledger.agings (loan_id, closed_on, version, days_past_due, bucket, previous_bucket, bucket_since, overdue_amount,
      oldest_number, oldest_due_on, closed_at)
    select loan_id, $3, version, days, bucket,
      case when bucket is distinct from old_bucket then old_bucket else previous_bucket end,
      case when bucket is distinct from old_bucket then $3 else bucket_since end,
      overdue, number, due_on, $4
    from compared where is_new or balance_changed or age_changed
    on conflict (loan_id) do update set closed_on = excluded.closed_on, version = excluded.version,
      days_past_due = excluded.days_past_due, bucket = excluded.bucket, previous_bucket = excluded.previous_bucket,
      bucket_since = excluded.bucket_since, overdue_amount = excluded.overdue_amount, oldest_number = excluded.oldest_number,
      oldest_due_on = excluded.oldest_due_on, closed_at = excluded.closed_at
  ), told as (
    insert into outbox.messages (destination, topic, key, event_id, payload)
    select 'inbox', e.type, c.loan_id, gen_random_uuid(), e.payload::text
    from compared c
    cross join lateral (values
      (age_changed, 'loan.aging.updated.v1', json_build_object('account_id', loan_id, 'days_past_due', days, 'bucket', bucket,
        'currency', currency, 'arrears_amount', round(overdue, ledger.currency_exponent(currency))::text)),
      (balance_changed, 'account.updated.v1', json_build_object('account_id', loan_id, 'currency', currency,
        'current_balance', round(total, ledger.currency_exponent(currency))::text))
    ) as e (is_told, type, payload)
    where e.is_told
  ), closed as (
    update ledger.closes set reached = $2, loans = loans + $5::int, accruals = accruals + $6::int,
      agings_changed = agings_changed + (select count(*) from compared where age_changed)
    where day = $3
  )
  select count(*)::int as changed from compared where age_changed`;

/** And keeps how far the close has got. Answers how many loans are otherwise late than at the last close. */
export async function age(
  tx: Database,
  { day, now, after, upTo, loans }: Closing,
  accruals: number,
): Promise<number> {
  const [row] = await tx.query<{ changed: number }>(ageStatement, [after, upTo, day, now, loans, accruals]);
  return row?.changed ?? 0;
}
