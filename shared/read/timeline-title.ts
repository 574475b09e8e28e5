// What staff read about an event on a timeline: its kind and a short sentence, made from the facts of the archive, which
// name nobody. Pure. A type that is not here is of no interest to them.

import { calendarDate } from '../calendar-date.ts';
import { formatAmount, parseBalance } from '../money.ts';
import { senderTime } from '../stream/sender-time.ts';

export type TimelineKind =
  | ('customer' | 'application' | 'conversation' | 'assessment' | 'decision')
  | ('account' | 'schedule' | 'payment' | 'approval' | 'notification' | 'statement' | 'collection');

export type Facts = Readonly<Record<string, unknown>>;

/** Of the deployment: what amounts are in and times are of when nothing is said. */
export interface Place {
  timeZone: string;
  currency: string;
}

interface Telling {
  kind: TimelineKind;
  /** Parts that are not known are left out. */
  title(facts: Facts, place: Place): ReadonlyArray<string | undefined>;
}

/** The first of these that is said, as text. */
function said(facts: Facts, ...names: string[]): string | undefined {
  for (const name of names) {
    const value = facts[name];
    if (typeof value === 'number') return String(value);
    if (typeof value === 'string' && value !== '') return value;
  }
  return undefined;
}

/** `100.50 EUR` */
function amount(facts: Facts, place: Place, ...names: string[]): string | undefined {
  const text = said(facts, ...names);
  if (text === undefined) return undefined;
  const currency = said(facts, 'currency') ?? place.currency;
  const parsed = parseBalance(text, currency);
  return parsed.ok ? `${formatAmount(parsed.value)} ${currency}` : undefined;
}

/** `2026-03-05`, the business zone's. */
function day(facts: Facts, { timeZone }: Place, ...names: string[]): string | undefined {
  const time = said(facts, ...names);
  const read = time === undefined ? undefined : senderTime(time, timeZone);
  return read && calendarDate(new Date(`${read.slice(0, 23)}Z`), timeZone);
}

/** `PAID_OFF`, `AccountStatus.PAID_OFF`: paid off. */
const words = (text: string | undefined): string | undefined =>
  text
    ?.slice(text.lastIndexOf('.') + 1)
    .toLowerCase()
    .replaceAll('_', ' ');

const before = (word: string, text: string | undefined): string | undefined =>
  text === undefined ? undefined : `${word} ${text}`;

const part = (facts: Facts, name: string): Facts => {
  const value = facts[name];
  return typeof value === 'object' && value !== null ? (value as Facts) : {};
};

const always =
  (title: string): Telling['title'] =>
  () => [title];

/** `fee_waiver`: Fee waiver. */
function approvalOf(kind = 'request'): string {
  if (kind === 'write_off') return 'Write-off';
  const name = words(kind) ?? '';
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** `kind` where the type of event says it. */
const approval = (step: string, by?: string, kind?: string): Telling => ({
  kind: 'approval',
  title: (p, place) => [
    approvalOf(kind ?? said(p, 'kind')),
    before('of', amount(p, place, 'amount')),
    step,
    by && before('by', said(p, by)),
  ],
});

const collection = (title: string): Telling => ({ kind: 'collection', title: always(title) });
const customer = (title: string): Telling => ({ kind: 'customer', title: always(title) });
const conversation = (title: string): Telling => ({ kind: 'conversation', title: always(title) });

const decided: Telling = {
  kind: 'decision',
  title: (p) => ['Decision', before('is', words(said(p, 'decision', 'outcome')))],
};

const scheduled = (verb: string): Telling => ({
  kind: 'schedule',
  title: (p, place) => [
    `Repayment schedule ${verb}`,
    before('with', said(p, 'n_payments') && `${said(p, 'n_payments')} instalments`),
    before('of', amount(p, place, 'total_amount')),
  ],
});

const tellings: Readonly<Record<string, Telling>> = {
  'customer.created.v1': customer('Customer created'),
  'customer.changed.v1': customer('Customer details changed'),
  'customer.updated.v1': customer('Customer details changed'),
  'customer.verified.v1': customer('Customer verified'),
  'customer.identity.linked.v1': {
    kind: 'customer',
    title: (p) => ['Identifier linked', before('of type', words(said(p, 'identifier_type')))],
  },
  'customer.identity.merged.v1': {
    kind: 'customer',
    title: (p) => ['Customers merged', before('into', said(p, 'surviving_customer_id', 'customer_id'))],
  },
  'application.submitted.v1': {
    kind: 'application',
    title: (p, place) => [
      'Application',
      said(p, 'application_number', 'application_id'),
      before('for', amount(p, place, 'loan_amount')),
      'submitted',
    ],
  },
  'application.status_changed.v1': {
    kind: 'application',
    title: (p) => [
      'Application',
      said(p, 'application_number', 'application_id'),
      before('is', words(said(p, 'new_status', 'status'))) ?? 'has changed',
    ],
  },

  conversation_started: {
    kind: 'conversation',
    title: (p) => ['Conversation started', before('by', words(said(p, 'channel')))],
  },
  user_input: conversation('The customer wrote'),
  assistant_response: conversation('The assistant answered'),
  conversation_summary: conversation('Summary of the conversation'),
  applicationDetail_changed: {
    kind: 'application',
    title: (p, place) => ['Application details changed', before('to', amount(p, place, 'loan_amount'))],
  },
  final_decision: decided,
  final_credit_decision: decided,

  'account.created.v1': {
    kind: 'account',
    title: (p, place) => [
      'Loan',
      said(p, 'account_number', 'account_id'),
      before('of', amount(p, place, 'loan_amount')),
      'created',
    ],
  },
  'account.updated.v1': {
    kind: 'account',
    title: (p, place) => ['Loan updated', before('to a balance of', amount(p, place, 'current_balance'))],
  },
  'account.status_changed.v1': {
    kind: 'account',
    title: (p) => ['Loan', before('is', words(said(p, 'new_status', 'status')))],
  },
  'account.closed.v1': {
    kind: 'account',
    title: (p) => ['Loan closed', before('as', words(said(p, 'closure_reason')))],
  },
  'loan.aging.updated.v1': {
    kind: 'account',
    title: (p, place) => [
      before('Loan is', said(p, 'days_past_due', 'dpd')) ?? 'Loan has new',
      said(p, 'days_past_due', 'dpd') ? 'days past due' : 'arrears',
      before('with arrears of', amount(p, place, 'arrears_amount', 'total_overdue_amount')),
    ],
  },
  'account.schedule.created.v1': scheduled('created'),
  'account.schedule.updated.v1': scheduled('changed'),
  'payment.scheduled.v1': {
    kind: 'payment',
    title: (p, place) => [
      'Payment',
      before('of', amount(p, place, 'amount')),
      'scheduled',
      before('for', day(p, place, 'scheduled_date', 'due_date')),
    ],
  },
  'payment.processed.v1': {
    kind: 'payment',
    title: (p, place) => [
      'Payment',
      before('of', amount(p, place, 'amount')),
      words(said(p, 'status')) ?? 'processed',
      before('on', day(p, place, 'processed_date', 'processed_at')),
    ],
  },
  'payment.recorded': {
    kind: 'payment',
    title: (p, place) => [
      'Payment',
      before('of', amount(part(p, 'payment'), place, 'amount')),
      'received',
      before('on', day(part(p, 'payment'), place, 'payment_date')),
    ],
  },
  'payment.reversed': {
    kind: 'payment',
    title: (p, place) => [
      'Payment',
      before('of', amount(part(p, 'payment'), place, 'amount')),
      'reversed,',
      amount(part(p, 'reversal'), place, 'reversed_total'),
      'taken back in all',
    ],
  },

  'writeoff.requested.v1': approval('requested', 'requested_by', 'write_off'),
  'writeoff.approved.v1': approval('approved', 'approved_by', 'write_off'),
  'writeoff.rejected.v1': approval('rejected', 'rejected_by', 'write_off'),
  'writeoff.cancelled.v1': approval('cancelled', 'cancelled_by', 'write_off'),
  'approval.requested.v1': approval('requested', 'requested_by'),
  'approval.approved.v1': approval('approved', 'approved_by'),
  'approval.rejected.v1': approval('rejected', 'rejected_by'),
  'approval.cancelled.v1': approval('cancelled', 'cancelled_by'),
  'approval.expired.v1': approval('decided by nobody in time'),
  'approval.executed.v1': approval('executed'),
  'approval.failed.v1': approval('refused by the ledger'),
  'notification.sent.v1': {
    kind: 'notification',
    title: (p) => [
      'Notification',
      said(p, 'template_name', 'template'),
      'sent',
      before('by', words(said(p, 'channel'))),
    ],
  },
  'notification.delivery_failed.v1': {
    kind: 'notification',
    title: (p) => [
      'Notification',
      said(p, 'template_name', 'template'),
      'not delivered',
      before('by', words(said(p, 'channel'))),
    ],
  },
  'statement.generated.v1': {
    kind: 'statement',
    title: (p, place) => [
      'Statement generated',
      before('from', day(p, place, 'period_start')),
      before('to', day(p, place, 'period_end')),
    ],
  },
  'collection.case.opened.v1': collection('Collection case opened'),
  'collection.case.cured.v1': collection('Collection case cured'),
  'collection.case.exhausted.v1': collection('Collection case exhausted'),
  'collection.case.hardship_paused.v1': collection('Collection paused for hardship'),
  'collection.case.resumed.v1': collection('Collection resumed'),
  'collection.case.stop_contact_applied.v1': collection('Contact stopped'),
  'collection.case.step_advanced.v1': {
    kind: 'collection',
    title: (p) => ['Collection advanced', before('to step', said(p, 'step', 'rung'))],
  },
};

/** Assessments come under many names, and all are told alike. */
const assessment = (type: string): Telling => ({
  kind: 'assessment',
  title: (p) => [
    type.charAt(0).toUpperCase() + type.slice(1).replaceAll('_', ' '),
    before('is', words(said(p, 'outcome', 'decision'))),
  ],
});

/** Types by name, and the SQL patterns of those that come under many. */
export const timelineTypes = Object.keys(tellings);
export const timelinePatterns = ['%\\_assessment', 'credit\\_assessment\\_%'];

const tellingOf = (type: string): Telling =>
  Object.hasOwn(tellings, type) ? (tellings[type] as Telling) : assessment(type);

export function tell(type: string, facts: Facts, place: Place): { kind: TimelineKind; title: string } {
  const { kind, title } = tellingOf(type);
  return { kind, title: title(facts, place).filter(Boolean).join(' ') };
}
