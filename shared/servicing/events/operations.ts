// Events about what the servicer does: approvals, notices and statements that went out, collection cases.

import * as z from 'zod/mini';
import { type Claim, type EventType, eventType } from '../event-type.ts';
import {
  amount,
  currencyCode,
  day,
  firstOf,
  id,
  instant,
  money,
  named,
  optionalId,
  optionalWholeNumber,
  text,
  time,
  toMicroseconds,
} from '../reading.ts';

const approval = z.object({
  request_id: id,
  kind: text,
  account_id: optionalId,
  loan_account_id: optionalId,
  customer_id: optionalId,
  currency: currencyCode,
  amount,
  reason: text,
  comment: text,
  requested_by: text,
  requested_at: time,
  approved_by: text,
  approved_at: time,
  rejected_by: text,
  rejected_at: time,
  cancelled_by: text,
  cancelled_at: time,
  expired_at: time,
  settled_at: time,
  transaction_id: text,
  failure: text,
});
const approvalFacts = Object.keys(approval.shape).filter((name) => name !== 'reason' && name !== 'comment');

/** Events of write-offs need name no kind; those of other approvals call the same `write_off`. */
type Family = 'writeoff' | 'approval';
const whatFor = (family: Family, p: z.output<typeof approval>) => ({
  kind: family === 'writeoff' || p.kind === 'write_off' ? 'writeoff' : p.kind,
  accountId: firstOf(p.account_id, p.loan_account_id),
  customerId: p.customer_id,
});

const requested = (family: Family) =>
  eventType({
    schema: approval,
    facts: approvalFacts,
    claims: (p, { business, time }) => [
      {
        kind: 'approval',
        id: p.request_id,
        creation: true,
        values: {
          ...whatFor(family, p),
          amount: money(p.amount, 'amount', p, business),
          reason: p.reason,
          requestedBy: p.requested_by,
          requestedAt: firstOf(
            instant(p.requested_at, 'requested_at', business),
            time && toMicroseconds(time),
          ),
        },
      },
    ],
  });

/** Of several decisions the latest one counts, as a whole: what it does not say is not taken from another one. */
const decided = (family: Family, decision: 'approved' | 'rejected' | 'cancelled' | 'expired') =>
  eventType({
    schema: approval,
    facts: approvalFacts,
    claims: (p, { business, time }) => [
      {
        kind: 'approval',
        id: p.request_id,
        values: {
          ...whatFor(family, p),
          decision,
          decidedBy: (decision === 'expired' ? undefined : p[`${decision}_by`]) ?? null,
          decidedAt:
            instant(p[`${decision}_at`], `${decision}_at`, business) ?? (time ? toMicroseconds(time) : null),
          decisionNote: firstOf(p.comment, p.reason) ?? null,
        },
      },
    ],
  });

const settled = (outcome: 'executed' | 'failed') =>
  eventType({
    schema: approval,
    facts: approvalFacts,
    claims: (p) => [{ kind: 'approval', id: p.request_id, values: { ...whatFor('approval', p), outcome } }],
  });

const notification = z.object({
  notification_id: id,
  customer_id: optionalId,
  account_id: optionalId,
  kind: text,
  channel: text,
  template_name: text,
  template: text,
  recipient: text,
  sent_at: time,
  error_type: text,
  error_message: text,
  failed_at: time,
});
const notificationFacts = Object.keys(notification.shape).filter(
  (name) => name !== 'recipient' && name !== 'error_message',
);
const notified = (p: z.output<typeof notification>, customerId: string | undefined) => ({
  customerId: firstOf(p.customer_id, customerId),
  accountId: p.account_id,
  kind: p.kind,
  channel: p.channel?.toLowerCase(),
  template: firstOf(p.template_name, p.template),
  recipient: p.recipient,
});

const collectionCase = z.object({
  case_id: optionalId,
  account_id: optionalId,
  customer_id: optionalId,
  reason: text,
  step: optionalWholeNumber,
  rung: optionalWholeNumber,
  operator_id: text,
});
const caseFacts = Object.keys(collectionCase.shape).filter((name) => name !== 'reason');

const caseEvent = (values: (p: z.output<typeof collectionCase>, at: string | undefined) => Claim['values']) =>
  eventType({
    schema: collectionCase,
    facts: caseFacts,
    claims: (p, { time, customerId }) => [
      {
        kind: 'case',
        id: named(firstOf(p.case_id, p.account_id), 'account_id'),
        values: {
          accountId: p.account_id,
          customerId: firstOf(p.customer_id, customerId),
          step: firstOf(p.step, p.rung),
          ...values(p, time && toMicroseconds(time)),
        },
      },
    ],
  });

export const operationEvents: Record<string, EventType> = {
  'writeoff.requested.v1': requested('writeoff'),
  'writeoff.approved.v1': decided('writeoff', 'approved'),
  'writeoff.rejected.v1': decided('writeoff', 'rejected'),
  'writeoff.cancelled.v1': decided('writeoff', 'cancelled'),
  'approval.requested.v1': requested('approval'),
  'approval.approved.v1': decided('approval', 'approved'),
  'approval.rejected.v1': decided('approval', 'rejected'),
  'approval.cancelled.v1': decided('approval', 'cancelled'),
  'approval.expired.v1': decided('approval', 'expired'),
  'approval.executed.v1': settled('executed'),
  'approval.failed.v1': settled('failed'),

  'notification.sent.v1': eventType({
    schema: notification,
    facts: notificationFacts,
    claims: (p, { business, time, customerId }) => [
      {
        kind: 'notification',
        id: p.notification_id,
        values: {
          ...notified(p, customerId),
          sentAt: firstOf(instant(p.sent_at, 'sent_at', business), time && toMicroseconds(time)),
        },
      },
    ],
  }),
  'notification.delivery_failed.v1': eventType({
    schema: notification,
    facts: notificationFacts,
    claims: (p, { business, time, customerId }) => [
      {
        kind: 'notification',
        id: p.notification_id,
        values: {
          ...notified(p, customerId),
          failed: true,
          failedAt: firstOf(instant(p.failed_at, 'failed_at', business), time && toMicroseconds(time)),
          failureType: p.error_type ?? null,
          failureMessage: p.error_message ?? null,
        },
      },
    ],
  }),
  'statement.generated.v1': eventType({
    schema: z.object({
      statement_id: id,
      account_id: optionalId,
      customer_id: optionalId,
      period_start: time,
      period_end: time,
      document_ref: text,
      url: text,
      generated_at: time,
    }),
    facts: ['statement_id', 'account_id', 'customer_id', 'period_start', 'period_end', 'generated_at'],
    claims: (p, { business, time, customerId }) => [
      {
        kind: 'statement',
        id: p.statement_id,
        values: {
          accountId: p.account_id,
          customerId: firstOf(p.customer_id, customerId),
          periodStart: day(p.period_start, 'period_start', business),
          periodEnd: day(p.period_end, 'period_end', business),
          documentRef: firstOf(p.document_ref, p.url),
          generatedAt: firstOf(
            instant(p.generated_at, 'generated_at', business),
            time && toMicroseconds(time),
          ),
        },
      },
    ],
  }),

  'collection.case.opened.v1': caseEvent((p, at) => ({ opened: true, openedAt: at, reason: p.reason })),
  'collection.case.cured.v1': caseEvent((p) => ({ ended: 'cured', reason: p.reason })),
  'collection.case.exhausted.v1': caseEvent((p) => ({ ended: 'exhausted', reason: p.reason })),
  'collection.case.hardship_paused.v1': caseEvent((p) => ({ paused: true, reason: p.reason })),
  'collection.case.resumed.v1': caseEvent(() => ({ paused: false })),
  'collection.case.stop_contact_applied.v1': caseEvent((p) => ({ stopContact: true, reason: p.reason })),
  'collection.case.step_advanced.v1': caseEvent(() => ({})),
};
