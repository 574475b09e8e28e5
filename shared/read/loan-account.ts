// A loan on one screen: its borrowers, terms, what is owed, and its current schedule with what became of each
// instalment, in one statement. See loans.ts for what counts as paid, received and missed.

import type { Database } from '../database.ts';
import { decimal, instant } from './as-text.ts';
import { type Instalment, instalmentJson, type LastPayment, lastPaymentOf, loanFacts } from './loans.ts';
import { loanNamed } from './resolve.ts';

interface Borrower {
  /** As the loan names them. */
  customerId: string;
  /** Who that is after all merges. */
  survivingCustomerId: string;
  role: string;
  fullName: string | null;
}

interface Schedule {
  scheduleId: string;
  currency: string | null;
  loanAmount: string | null;
  totalAmount: string | null;
  fee: string | null;
  nPayments: number | null;
  paymentFrequency: string | null;
  scheduledAt: string | null;
  /** Of our log's payments for this loan: all, less what was taken back, and what of it no instalment needs. */
  receivedAmount: string | null;
  receivedBeyond: string | null;
  instalments: Instalment[];
}

/** Amounts are decimal text in `currency`, null where nobody has said. */
export interface LoanAccount {
  accountId: string;
  accountNumber: string | null;
  applicationNumber: string | null;
  status: string | null;
  currency: string | null;
  loanAmount: string | null;
  loanFee: string | null;
  loanTotalPayable: string | null;
  currentBalance: string | null;
  arrearsAmount: string | null;
  daysPastDue: number | null;
  agingBucket: string | null;
  openedAt: string | null;
  closedAt: string | null;
  closureReason: string | null;
  borrowers: Borrower[];
  lastPayment: LastPayment | null;
  schedule: Schedule | null;
}

const statement = `
  with loan as materialized (${loanNamed('$1::text')}),
  ${loanFacts('$2::date')}
  select a.account_id as "accountId", a.account_number as "accountNumber", a.application_number as "applicationNumber",
    a.status, a.currency, ${decimal('a.loan_amount', 'a.currency')} as "loanAmount",
    ${decimal('a.loan_fee', 'a.currency')} as "loanFee",
    ${decimal('a.loan_total_payable', 'a.currency')} as "loanTotalPayable",
    ${decimal('a.current_balance', 'a.currency')} as "currentBalance",
    ${decimal('a.arrears_amount', 'a.currency')} as "arrearsAmount",
    a.days_past_due as "daysPastDue", a.aging_bucket as "agingBucket",
    ${instant('a.opened_at')} as "openedAt", ${instant('a.closed_at')} as "closedAt", a.closure_reason as "closureReason",
    (select coalesce(json_agg(json_build_object('customerId', b.customer_id, 'survivingCustomerId', s.id, 'role', b.role,
        'fullName', coalesce(survivor.full_name, own.full_name)) order by b.role <> 'borrower', b.customer_id), '[]')
     from servicing.loan_borrowers b
     cross join lateral (select servicing.surviving_customer(b.customer_id) as id) s
     left join servicing.customers survivor on survivor.customer_id = s.id
     left join servicing.customers own on own.customer_id = b.customer_id
     where b.account_id = a.account_id) as borrowers,
    ${lastPaymentOf('a')} as "lastPayment",
    (select json_build_object('scheduleId', s.schedule_id, 'currency', s.currency,
        'loanAmount', ${decimal('s.loan_amount', 's.currency')}, 'totalAmount', ${decimal('s.total_amount', 's.currency')},
        'fee', ${decimal('s.fee', 's.currency')}, 'nPayments', s.n_payments, 'paymentFrequency', s.payment_frequency,
        'scheduledAt', ${instant('s.scheduled_at')}, 'receivedAmount', ${decimal('r.net', 's.currency')},
        'receivedBeyond', ${decimal('r.net - coalesce(l.received, 0)', 's.currency')},
        'instalments', coalesce(l.lines, '[]'))
     from schedule s
     cross join lateral (select coalesce(sum(r.net), 0) as net from received r where r.currency = s.currency) r
     cross join lateral (
       select sum(i.received) as received, json_agg(${instalmentJson} order by i.due_on nulls last, i.payment_number) as lines
       from instalment i) l) as schedule
  from account a`;

/** Whom the statement shows, for the audit trail. */
export const borrowersShown = { id: `json_array_elements(borrowers) ->> 'survivingCustomerId'`, atMost: 1 };

/** By any of its names; `today` is the business zone's calendar date. */
export async function readLoanAccount(
  db: Database,
  name: string,
  today: string,
): Promise<LoanAccount | undefined> {
  const [row] = await db.query<LoanAccount>(statement, [name, today]);
  return row;
}
