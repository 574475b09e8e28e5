// What screens derive of loans beyond what the account's system says: which of the payments of our own log are theirs,
// what these cover, what was missed. Every payment counts for one loan alone, by its number as it is known now, so that
// payments, loans and numbers may come in any order.
//
//   paid       what the account's system says was paid: `paid_amount`, all of it when the status is paid, or the
//              payments that it processed for the instalment, whichever is more
//   received   of the loan's payments in our log, less what was taken back of them, the part that falls to the
//              instalment when the oldest due is covered first
//   state      paid       the system says so, or `paid` or `received` alone reaches the amount: both tell of the same money
//              missed     otherwise, the day has passed or the system says so
//              partial    otherwise, something was paid or received, or the system says so
//              scheduled  otherwise

import { decimal, instant } from './as-text.ts';

/** How senders call a payment that went through. Any other word is no money. */
const processed = ['processed', 'completed', 'succeeded', 'successful', 'success', 'settled', 'paid'];

/** SQL: a CTE over `loan (account_id)`: loan_number, the numbers that mean each loan and no other. */
export const loanNumbers = `loan_number as materialized (
    select distinct loan.account_id, i.value as number
    from loan join servicing.identifiers i on i.target = 'account:' || loan.account_id
    where i.target = any (array(select 'account:' || account_id from loan)) and not exists (
      select from servicing.identifiers other
      where other.value = i.value and other.target like 'account:%' and other.target <> i.target
        and (other.target = 'account:' || other.value, other.version, other.target)
          > (i.target = 'account:' || i.value, i.version, i.target))
  )`;

/**
 * SQL: CTEs over `loan (account_id)`, which the caller brings: account, schedule (the current one of each), received,
 * instalment (of the current schedule) and last_payment. `today` is an SQL expression of type date. What belongs to the
 * loans is named by arrays of their keys, so that it is looked up by these, however few loans there are in all.
 */
export const loanFacts = (today: string) => `
  account as materialized (
    select * from servicing.loan_accounts where account_id = any (array(select account_id from loan))
  ),
  schedule as materialized (
    select distinct on (s.account_id) s.account_id, s.schedule_id, coalesce(s.currency, a.currency) as currency,
      s.loan_amount, s.total_amount, s.fee, s.n_payments, s.payment_frequency, s.scheduled_at
    from account a join servicing.repayment_schedules s using (account_id)
    where s.account_id = any (array(select account_id from loan))
    order by s.account_id, s.version desc, s.schedule_id desc
  ),
  ${loanNumbers},
  under_number as materialized (
    select * from servicing.received_payments
    where amount > reversed and loan_account_number = any (array(select number from loan_number))
  ),
  received as materialized (
    select n.account_id, p.payment_id, p.reference_number, p.currency, p.amount - p.reversed as net, p.paid_at
    from loan_number n join under_number p on p.loan_account_number = n.number
  ),
  processed as materialized (
    select p.account_id, p.payment_key, p.schedule_id, p.payment_number, p.currency, p.amount, p.processed_at
    from servicing.account_payments p
    where p.account_id = any (array(select account_id from account)) and p.status in (${processed.map((word) => `'${word}'`).join(', ')})
  ),
  line as (
    select s.account_id, s.currency, i.payment_number, i.due_on, i.amount, i.status,
      greatest(
        coalesce(i.paid_amount, case i.status when 'paid' then i.amount end, 0),
        coalesce(p.amount, 0)
      ) as paid,
      coalesce(r.net, 0)
        - coalesce(sum(greatest(i.amount, 0)) over (
            partition by s.account_id order by i.due_on nulls last, i.payment_number
            rows between unbounded preceding and 1 preceding), 0) as left_of_received
    from schedule s join servicing.instalments i using (schedule_id)
    left join (select account_id, currency, sum(net) as net from received group by 1, 2) r
      on r.account_id = s.account_id and r.currency = s.currency
    left join (select schedule_id, payment_number, currency, sum(amount) as amount from processed group by 1, 2, 3) p
      on p.schedule_id = s.schedule_id and p.payment_number = i.payment_number and p.currency = s.currency
  ),
  covered as (
    select *, greatest(least(coalesce(amount, 0), left_of_received), 0) as received from line
  ),
  instalment as materialized (
    select account_id, currency, payment_number, due_on, amount, status, paid, received,
      case when status = 'paid' or paid >= amount or received >= amount then 'paid'
           when status = 'missed' or due_on < ${today} then 'missed'
           when status = 'partial' or paid > 0 or received > 0 then 'partial'
           else 'scheduled' end as state
    from covered
  ),
  last_payment as materialized (
    select distinct on (account_id) account_id, at, amount, currency, source, reference
    from (
      select account_id, last_payment_at as at, last_payment_amount as amount, currency, 'account' as source,
        null as reference, 1 as rank
      from account
      union all
      select account_id, processed_at, amount, currency, 'processed', payment_key, 2 from processed
      union all
      select account_id, paid_at, net, currency, 'received', reference_number, 3 from received
    ) known
    where at is not null
    order by account_id, at desc, rank, reference
  )`;

export interface LastPayment {
  at: string;
  amount: string | null;
  currency: string | null;
  /** Who knows of it: the account's own fields, a payment its system processed, or our log of payments. */
  source: 'account' | 'processed' | 'received';
  /** Of a processed payment its key, of a received one its reference number. */
  reference: string | null;
}

/** SQL: JSON of the last payment of the row `loan`, or null. */
export const lastPaymentOf = (loan: string) => `(
  select json_build_object('at', ${instant('p.at')}, 'amount', ${decimal('p.amount', 'p.currency')},
    'currency', case when p.amount is not null then p.currency end, 'source', p.source, 'reference', p.reference)
  from last_payment p where p.account_id = ${loan}.account_id)`;

type InstalmentState = 'scheduled' | 'partial' | 'paid' | 'missed';

export interface Instalment {
  paymentNumber: number;
  dueOn: string | null;
  amount: string | null;
  currency: string | null;
  state: InstalmentState;
  /** What the account's system calls it. */
  status: string | null;
  paidAmount: string;
  receivedAmount: string;
}

/** SQL: JSON of the row `i` of instalment. */
export const instalmentJson = `json_build_object('paymentNumber', i.payment_number, 'dueOn', i.due_on,
  'amount', ${decimal('i.amount', 'i.currency')}, 'currency', i.currency, 'state', i.state, 'status', i.status,
  'paidAmount', ${decimal('i.paid', 'i.currency')}, 'receivedAmount', ${decimal('i.received', 'i.currency')})`;

/** SQL: whether the row `i` of instalment is due today or later and not covered. */
export const isNext = (i: string, today: string) =>
  `${i}.state in ('scheduled', 'partial') and ${i}.due_on >= ${today}`;

/** SQL: JSON of the first instalment of the row `loan` that is due today or later and not covered, or null. */
export const nextInstalmentOf = (loan: string, today: string) => `(
  select ${instalmentJson} from instalment i
  where i.account_id = ${loan}.account_id and ${isNext('i', today)}
  order by i.due_on, i.payment_number limit 1)`;
