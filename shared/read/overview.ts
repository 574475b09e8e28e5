// What a lender asks first in the morning, in two statements that run side by side: the figures here, and how far every
// flow has come (health.ts). No large table is read from one end to the other, so the time hangs on what is counted:
//
//   received   payments of the day, by the index of when they were recorded
//   due        sums by day, which the job `figures` counts every ten minutes
//   promised   payments that are scheduled for the coming days, from an index that has their amounts
//   arrears    loans that are late, from an index of these alone that has their amounts
//
// Sums are in the currencies that they are in; nothing is converted.

import type { Database } from '../database.ts';
import { type Bucket, bucketOf, ended } from './aging.ts';
import { decimal, instant } from './as-text.ts';
import { judge, readSystemState, type SystemState } from './health.ts';
import type { ProjectorState } from './projector-state.ts';

interface Sum {
  currency: string | null;
  count: number;
  /** Decimal text; null where the currency is not known. */
  amount: string | null;
}

interface ChannelSum extends Sum {
  channel: string;
}
interface BucketSum extends Sum {
  bucket: Bucket;
}

export interface Overview {
  /** The business zone's. */
  day: string;
  /** Recorded today, whatever became of them since. */
  received: { totals: Sum[]; byChannel: ChannelSum[] };
  /** Instalments that their schedule does not call paid; the seven days are those after today. Null: never counted. */
  due: { today: Sum[]; nextSevenDays: Sum[]; countedAt: string | null };
  /** Payments that are scheduled for one of the seven days after today. */
  promised: Sum[];
  /** Of loans that are not over; `count` is of loans. */
  arrears: BucketSum[];
  lag: {
    staging: { waiting: number };
    outbox: SystemState['outbox'];
    /** Events that came over HTTP and wait to be folded. */
    inbox: { waiting: number; oldestSeconds: number };
    /** Null: no projector is heard of. */
    streams: ProjectorState['streams'];
    /** Payments that were accepted while the database was away; null: no drain is heard of. */
    accepted: { waiting: number | null; buried: number | null };
    deadLetters: number;
    /** Entries of the audit trail that have no seal yet. */
    unsealed: SystemState['unsealed'];
  };
}

const sums = (rows: string, more = '', order = '') => `(
  select coalesce(json_agg(json_build_object('currency', r.currency, 'count', r.count,
    'amount', ${decimal('r.amount', 'r.currency')}${more}) order by ${order}r.currency), '[]') from (${rows}) r)`;

const dueOn = (days: string) =>
  `select currency, sum(instalments)::int as count, sum(amount) as amount from servicing.due_days where ${days} group by 1`;

const statement = `
  with received as materialized (
    select currency::text as currency, payment_channel, count(*)::int as count, sum(amount) as amount
    from payment_service.payments where created_at >= $2::timestamptz group by 1, 2
  )
  select ${sums('select currency, sum(count)::int as count, sum(amount) as amount from received group by 1')} as totals,
    ${sums('select * from received', `, 'channel', r.payment_channel`, 'r.payment_channel, ')} as "byChannel",
    ${sums(dueOn('due_on = $1::date'))} as "dueToday",
    ${sums(dueOn('due_on > $1::date and due_on <= $1::date + 7'))} as "dueNext",
    (select ${instant('min(counted_at)')} from servicing.due_days) as "dueCountedAt",
    ${sums(`select currency, count(*)::int as count, sum(amount) as amount from servicing.account_payments
      where status = 'scheduled' and scheduled_on > $1::date and scheduled_on <= $1::date + 7 group by 1`)} as promised,
    ${sums(
      `select ${bucketOf('days_past_due')} as bucket, currency, count(*)::int as count, sum(arrears_amount) as amount
       from servicing.loan_accounts where days_past_due > 0 and (status is null or status not in (${ended})) group by 1, 2`,
      `, 'bucket', r.bucket`,
      'r.bucket, ',
    )} as arrears,
    (select json_build_object('waiting', count(*)::int,
       'oldestSeconds', coalesce(round(extract(epoch from now() - min(received_at)), 1), 0)) from servicing.inbox) as inbox,
    (select count(*)::int from servicing.dead_letters where status = 'waiting') as "deadLetters"`;

interface Figures {
  totals: Sum[];
  byChannel: Overview['received']['byChannel'];
  dueToday: Sum[];
  dueNext: Sum[];
  dueCountedAt: string | null;
  promised: Sum[];
  arrears: Overview['arrears'];
  inbox: Overview['lag']['inbox'];
  deadLetters: number;
}

/** `day` is the business zone's calendar date, `began` the instant at which it began. */
export async function readOverview(
  db: Database,
  { day, began }: { day: string; began: Date },
): Promise<Overview> {
  const [[figures], state] = await Promise.all([
    db.query<Figures>(statement, [day, began.toISOString()]),
    readSystemState(db),
  ]);
  if (!figures) throw new Error('the overview has one row');
  const { events, accepted } = judge(state, { accepting: true });
  return {
    day,
    received: { totals: figures.totals, byChannel: figures.byChannel },
    due: { today: figures.dueToday, nextSevenDays: figures.dueNext, countedAt: figures.dueCountedAt },
    promised: figures.promised,
    arrears: figures.arrears,
    lag: {
      staging: { waiting: state.stagingBacklog },
      outbox: state.outbox,
      inbox: figures.inbox,
      streams: events.streams,
      accepted: { waiting: accepted.backlog, buried: accepted.buried },
      deadLetters: figures.deadLetters,
      unsealed: state.unsealed,
    },
  };
}
