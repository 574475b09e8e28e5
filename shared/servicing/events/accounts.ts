// Events about loan accounts, their schedules and the payments their system plans and processes.

import * as z from 'zod/mini';
import { type Business, type Claim, type EventType, eventType, UnreadableEvent } from '../event-type.ts';
import {
  amount,
  currencyCode,
  day,
  firstOf,
  id,
  instant,
  list,
  money,
  named,
  optionalId,
  optionalWholeNumber,
  text,
  time,
  toMicroseconds,
  wholeNumber,
  word,
} from '../reading.ts';
import type { Json } from '../registers.ts';

const account = z.object({
  account_id: id,
  account_number: optionalId,
  customer_id: optionalId,
  borrowers: list(z.object({ customer_id: id, role: text })),
  application_number: optionalId,
  status: word,
  currency: currencyCode,
  loan_amount: amount,
  current_balance: amount,
  loan_fee: amount,
  loan_total_payable: amount,
  opened_date: time,
  last_payment_date: time,
  last_payment_amount: amount,
});
type Account = z.output<typeof account>;
const accountFacts = Object.keys(account.shape);

/** Seed 000's mapping. CLOSED is no value here: it closes, and then a reason decides what it is called. */
const statuses: Record<string, string> = {
  PENDING: 'active',
  PENDING_DISBURSEMENT: 'pending_disbursement',
  ACTIVE: 'active',
  SUSPENDED: 'in_arrears',
};

/** A snapshot says what the status was; it never reopens what was closed (see accountStatus). */
function statusSaid(status: string | undefined, name: 'status' | 'statusChange'): Record<string, Json> {
  if (status === undefined) return {};
  if (status === 'CLOSED') return { closed: true };
  const mapped = statuses[status];
  if (mapped === undefined) throw new UnreadableEvent('status is none that is known');
  return { [name]: mapped };
}

function accountClaim(p: Account, business: Business, creation: boolean): Claim {
  const borrowers = (p.borrowers ?? []).map((b) => [`borrower:${b.customer_id}`, b.role ?? 'co_borrower']);
  return {
    kind: 'account',
    id: p.account_id,
    creation,
    values: {
      accountNumber: p.account_number,
      customerId: p.customer_id,
      ...Object.fromEntries(borrowers),
      applicationNumber: p.application_number,
      ...statusSaid(p.status, 'status'),
      loanAmount: money(p.loan_amount, 'loan_amount', p, business),
      currentBalance: money(p.current_balance, 'current_balance', p, business),
      loanFee: money(p.loan_fee, 'loan_fee', p, business),
      loanTotalPayable: money(p.loan_total_payable, 'loan_total_payable', p, business),
      openedAt: instant(p.opened_date, 'opened_date', business),
      lastPaymentAt: instant(p.last_payment_date, 'last_payment_date', business),
      lastPaymentAmount: money(p.last_payment_amount, 'last_payment_amount', p, business),
    },
  };
}

const closures = ['PAID_OFF', 'WRITTEN_OFF', 'ADMIN_CLOSED'];

const schedule = z.object({
  account_id: id,
  schedule_id: id,
  currency: currencyCode,
  loan_amount: amount,
  total_amount: amount,
  fee: amount,
  n_payments: optionalWholeNumber,
  payment_frequency: text,
  payments: list(
    z.object({ payment_number: wholeNumber, due_date: time, amount, status: word, paid_amount: amount }),
  ),
  created_date: time,
});

const instalmentStatuses = ['SCHEDULED', 'PARTIAL', 'PAID', 'MISSED'];

function scheduleClaim(p: z.output<typeof schedule>, business: Business, creation: boolean): Claim {
  const instalments: Record<string, Json> = {};
  const say = (name: string, value: Json | undefined) => {
    if (value !== undefined) instalments[`instalment:${name}`] = value;
  };
  for (const { payment_number: n, ...line } of p.payments ?? []) {
    if (line.status !== undefined && !instalmentStatuses.includes(line.status))
      throw new UnreadableEvent('the status of an instalment is none that is known');
    say(`${n}:dueOn`, day(line.due_date, 'due_date', business));
    say(`${n}:amount`, money(line.amount, 'amount', p, business));
    say(`${n}:status`, line.status?.toLowerCase());
    say(`${n}:paid`, money(line.paid_amount, 'paid_amount', p, business));
  }
  return {
    kind: 'schedule',
    id: p.schedule_id,
    creation,
    values: {
      accountId: p.account_id,
      loanAmount: money(p.loan_amount, 'loan_amount', p, business),
      totalAmount: money(p.total_amount, 'total_amount', p, business),
      fee: money(p.fee, 'fee', p, business),
      nPayments: p.n_payments,
      paymentFrequency: p.payment_frequency,
      scheduledAt: instant(p.created_date, 'created_date', business),
      ...instalments,
    },
  };
}

const payment = z.object({
  account_id: id,
  payment_id: optionalId,
  schedule_id: optionalId,
  payment_number: optionalWholeNumber,
  currency: currencyCode,
  amount,
  status: word,
  scheduled_date: time,
  due_date: time,
  processed_date: time,
  processed_at: time,
});
const paymentFacts = Object.keys(payment.shape);

/** Without an id, what is scheduled and what is processed of one instalment are the same payment. */
function paymentKey(p: z.output<typeof payment>, eventId: string): string {
  if (p.payment_id !== undefined) return p.payment_id;
  if (p.schedule_id !== undefined && p.payment_number !== undefined)
    return `${p.schedule_id}#${p.payment_number}`;
  return eventId;
}

export const accountEvents: Record<string, EventType> = {
  'account.created.v1': eventType({
    schema: account,
    facts: accountFacts,
    claims: (p, { business }) => [accountClaim(p, business, true)],
  }),
  'account.updated.v1': eventType({
    schema: account,
    facts: accountFacts,
    claims: (p, { business }) => [accountClaim(p, business, false)],
  }),
  'account.status_changed.v1': eventType({
    schema: z.object({ account_id: id, new_status: word, status: word }),
    facts: ['account_id', 'new_status', 'status'],
    claims: (p) => [
      {
        kind: 'account',
        id: p.account_id,
        values: statusSaid(named(firstOf(p.new_status, p.status), 'new_status'), 'statusChange'),
      },
    ],
  }),
  'account.closed.v1': eventType({
    schema: z.object({ account_id: id, closure_reason: word, closed_at: time, closed_date: time }),
    facts: ['account_id', 'closure_reason', 'closed_at', 'closed_date'],
    claims: (p, { business }) => {
      if (p.closure_reason !== undefined && !closures.includes(p.closure_reason))
        throw new UnreadableEvent(`closure_reason is none of ${closures.join(', ')}`);
      const closedAt = instant(firstOf(p.closed_at, p.closed_date), 'closed_at', business);
      return [
        {
          kind: 'account',
          id: p.account_id,
          values: { closed: true, closureReason: p.closure_reason?.toLowerCase(), closedAt },
        },
      ];
    },
  }),
  'account.schedule.created.v1': eventType({
    schema: schedule,
    facts: Object.keys(schedule.shape),
    claims: (p, { business }) => [scheduleClaim(p, business, true)],
  }),
  'account.schedule.updated.v1': eventType({
    schema: schedule,
    facts: Object.keys(schedule.shape),
    claims: (p, { business }) => [scheduleClaim(p, business, false)],
  }),
  'loan.aging.updated.v1': eventType({
    schema: z.object({
      account_id: id,
      days_past_due: optionalWholeNumber,
      dpd: optionalWholeNumber,
      bucket: text,
      currency: currencyCode,
      arrears_amount: amount,
      total_overdue_amount: amount,
    }),
    facts: [
      'account_id',
      'days_past_due',
      'dpd',
      'bucket',
      'currency',
      'arrears_amount',
      'total_overdue_amount',
    ],
    claims: (p, { business }) => [
      {
        kind: 'account',
        id: p.account_id,
        values: {
          daysPastDue: firstOf(p.days_past_due, p.dpd),
          agingBucket: p.bucket,
          arrearsAmount: money(
            firstOf(p.arrears_amount, p.total_overdue_amount),
            'arrears_amount',
            p,
            business,
          ),
        },
      },
    ],
  }),
  'payment.scheduled.v1': eventType({
    schema: payment,
    facts: paymentFacts,
    claims: (p, { business, eventId }) => [
      {
        kind: 'account_payment',
        id: paymentKey(p, eventId),
        values: {
          accountId: p.account_id,
          scheduleId: p.schedule_id,
          paymentNumber: p.payment_number,
          scheduledAmount: money(p.amount, 'amount', p, business),
          scheduledOn: day(firstOf(p.scheduled_date, p.due_date), 'scheduled_date', business),
        },
      },
    ],
  }),
  'payment.processed.v1': eventType({
    schema: payment,
    facts: paymentFacts,
    claims: (p, { business, eventId, time }) => [
      {
        kind: 'account_payment',
        id: paymentKey(p, eventId),
        values: {
          accountId: p.account_id,
          scheduleId: p.schedule_id,
          paymentNumber: p.payment_number,
          processedAmount: money(p.amount, 'amount', p, business),
          processedStatus: p.status?.toLowerCase() ?? 'processed',
          processedAt: firstOf(
            instant(firstOf(p.processed_date, p.processed_at), 'processed_date', business),
            time && toMicroseconds(time),
          ),
        },
      },
    ],
  }),
};
