import { expect, test } from 'vitest';
import { eventTypes } from '../servicing/event-types.ts';
import { tell, timelineTypes } from './timeline-title.ts';

const place = { timeZone: 'Europe/Berlin', currency: 'EUR' };
const title = (type: string, facts: Record<string, unknown>) => tell(type, facts, place).title;

test.each([
  [
    'payment.recorded',
    { payment: { amount: '100.5', currency: 'USD', payment_date: '2026-03-09T23:30:00Z' } },
    'Payment of 100.50 USD received on 2026-03-10',
  ],
  [
    'payment.reversed',
    { payment: { amount: '100.50' }, reversal: { reversed_total: '20.5' } },
    'Payment of 100.50 EUR reversed, 20.50 EUR taken back in all',
  ],
  [
    'payment.processed.v1',
    { amount: '7', status: 'FAILED', processed_at: '2026-03-01' },
    'Payment of 7.00 EUR failed on 2026-03-01',
  ],
  [
    'payment.scheduled.v1',
    { amount: '7', due_date: '2026-04-01' },
    'Payment of 7.00 EUR scheduled for 2026-04-01',
  ],
  [
    'account.created.v1',
    { account_number: 'N1', loan_amount: '9999999999999.99' },
    'Loan N1 of 9999999999999.99 EUR created',
  ],
  ['account.updated.v1', { current_balance: '-1.50' }, 'Loan updated to a balance of -1.50 EUR'],
  ['account.closed.v1', { closure_reason: 'WRITTEN_OFF' }, 'Loan closed as written off'],
  [
    'account.status_changed.v1',
    { new_status: 'AccountStatus.PENDING_DISBURSEMENT' },
    'Loan is pending disbursement',
  ],
  [
    'account.schedule.created.v1',
    { n_payments: 12, total_amount: '1200' },
    'Repayment schedule created with 12 instalments of 1200.00 EUR',
  ],
  [
    'loan.aging.updated.v1',
    { dpd: 0, arrears_amount: '0.00' },
    'Loan is 0 days past due with arrears of 0.00 EUR',
  ],
  [
    'application.status_changed.v1',
    { application_number: 'AP1', new_status: 'UNDER_REVIEW' },
    'Application AP1 is under review',
  ],
  ['final_credit_decision', { outcome: 'APPROVED' }, 'Decision is approved'],
  ['identityRisk_assessment', { outcome: 'PASS' }, 'IdentityRisk assessment is pass'],
  ['credit_assessment_serviceability_result', {}, 'Credit assessment serviceability result'],
  ['writeoff.requested.v1', { amount: '10', requested_by: 'joe' }, 'Write-off of 10.00 EUR requested by joe'],
  [
    'approval.requested.v1',
    { kind: 'fee_waiver', amount: '10', requested_by: 'joe' },
    'Fee waiver of 10.00 EUR requested by joe',
  ],
  ['approval.expired.v1', { amount: '10' }, 'Request of 10.00 EUR decided by nobody in time'],
  ['approval.executed.v1', { kind: 'write_off', amount: '10' }, 'Write-off of 10.00 EUR executed'],
  [
    'notification.delivery_failed.v1',
    { template: 'reminder', channel: 'SMS' },
    'Notification reminder not delivered by sms',
  ],
  ['collection.case.step_advanced.v1', { rung: 3 }, 'Collection advanced to step 3'],
  ['customer.identity.merged.v1', { surviving_customer_id: 'C1' }, 'Customers merged into C1'],
])('%s %j is told as %s', (type, facts, told) => {
  expect(title(type, facts)).toBe(told);
});

test.each(timelineTypes)('%s is a type that is folded, and has a title when nothing is known', (type) => {
  expect(Object.keys(eventTypes)).toContain(type);
  expect(title(type, {})).toMatch(/^[A-Z]\S*( \S+)*$/);
});

test('what cannot be read as an amount or a day is left out', () => {
  expect(title('payment.processed.v1', { amount: 'much', processed_at: 'soon' })).toBe('Payment processed');
  expect(title('payment.recorded', { payment: 'gone' })).toBe('Payment received');
});
