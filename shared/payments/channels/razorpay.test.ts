import fc from 'fast-check';
import { expect, test } from 'vitest';
import { channelOf, faultsOf, hexHmac, parse, seconds, verdict } from './testing.ts';

const secret = 'a-secret-of-the-merchant';
const previous = 'the-secret-before-it';
const channel = channelOf('razorpay', {}, { secret });

const payment = (over: object = {}) => ({
  id: 'pay_TestPayment001',
  entity: 'payment',
  amount: 10050,
  currency: 'INR',
  status: 'captured',
  order_id: 'order_TestOrder001',
  invoice_id: null,
  method: 'upi',
  captured: true,
  description: 'Instalment',
  notes: { loan_account_number: 'LN00001234', cif: 'CIF000077' },
  error_code: null,
  error_reason: null,
  created_at: seconds(-60),
  ...over,
});
const refund = (over: object = {}) => ({
  id: 'rfnd_TestRefund001',
  entity: 'refund',
  amount: 2500,
  currency: 'INR',
  payment_id: 'pay_TestPayment001',
  notes: [],
  status: 'processed',
  created_at: seconds(-50),
  ...over,
});
const event = (type: string, payload: Record<string, object>, over: object = {}) => ({
  entity: 'event',
  account_id: 'acc_TestAccount01',
  event: type,
  contains: Object.keys(payload),
  payload: Object.fromEntries(Object.entries(payload).map(([name, entity]) => [name, { entity }])),
  created_at: seconds(-20),
  ...over,
});
const body = JSON.stringify(event('payment.captured', { payment: payment() }));
const signed = (text: string, by = secret) => ({ 'x-razorpay-signature': hexHmac(by, text) });

test('what was signed is accepted, and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.string(), async (text, other) => {
      expect(await verdict(channel, signed(text), text)).toBe('ok');
      fc.pre(other !== text);
      expect(await verdict(channel, signed(text), other)).toBe('mismatch');
    }),
    { numRuns: 30 },
  );
  expect(await verdict(channel, signed(body, previous), body)).toBe('mismatch');
  expect(await verdict(channel, {}, body)).toBe('missing_header');
  expect(await verdict(channel, { 'x-razorpay-signature': 'none' }, body)).toBe('malformed_header');
  expect(await verdict(channelOf('razorpay'), signed(body), body)).toBe('no_secret');
});

test('while a secret is rotated both are good', async () => {
  const rotating = channelOf('razorpay', {}, { secret, previous });
  expect(await verdict(rotating, signed(body), body)).toBe('ok');
  expect(await verdict(rotating, signed(body, previous), body)).toBe('ok');
});

test('payment.captured is a payment', () => {
  expect(parse(channel, body)).toEqual({
    ok: true,
    value: {
      arrivals: [
        {
          kind: 'payment',
          payment: {
            namespace: 'default',
            referenceNumber: 'pay_TestPayment001',
            loanAccountNumber: 'LN00001234',
            cif: 'CIF000077',
            amount: { amountMinor: 10_050n, currency: 'INR' },
            paymentDate: new Date(seconds(-20) * 1000),
            paidOn: '2026-11-23',
            paymentChannel: 'psp',
            metadata: '{"loan_account_number":"LN00001234","cif":"CIF000077"}',
            requiresReceipt: false,
            source: 'webhook',
            actor: 'channel:psp',
          },
        },
      ],
      ignored: [],
      rejected: [],
    },
  });
});

test.each([
  ['JPY', 500, 500n],
  ['KWD', 5120, 5_120n],
  ['INR', 1, 1n],
])('%s %d has the decimals of ISO 4217', (currency, amount, amountMinor) => {
  expect(parse(channel, event('payment.captured', { payment: payment({ currency, amount }) }))).toMatchObject(
    {
      value: { arrivals: [{ payment: { amount: { amountMinor, currency } } }] },
    },
  );
});

test('a payment without notes, which is an empty list then, is kept for staff', () => {
  expect(faultsOf(channel, event('payment.captured', { payment: payment({ notes: [] }) }))).toEqual([
    'payload.payment.entity.notes.loan_account_number',
    'payload.payment.entity.notes.cif',
  ]);
});

test('payment.failed is a failure, told with what is known of it', () => {
  const failed = payment({
    status: 'failed',
    error_code: 'BAD_REQUEST_ERROR',
    error_reason: 'payment_cancelled',
    notes: [],
  });
  expect(parse(channel, event('payment.failed', { payment: failed }))).toMatchObject({
    value: {
      arrivals: [
        {
          kind: 'failure',
          failure: {
            referenceNumber: 'pay_TestPayment001',
            failureReference: 'pay_TestPayment001',
            reason: 'payment_cancelled',
            loanAccountNumber: null,
          },
        },
      ],
    },
  });
});

test('refund.processed is a reversal, named by the refund', () => {
  expect(parse(channel, event('refund.processed', { refund: refund(), payment: payment() }))).toMatchObject({
    value: {
      arrivals: [
        {
          kind: 'reversal',
          reversal: {
            referenceNumber: 'pay_TestPayment001',
            reversalReference: 'rfnd_TestRefund001',
            amount: { amountMinor: 2_500n, currency: 'INR' },
            reason: 'refund',
          },
        },
      ],
    },
  });
});

test('a lost dispute is a reversal, named by the dispute', () => {
  const dispute = {
    id: 'disp_Test001',
    payment_id: 'pay_TestPayment001',
    amount: 10050,
    currency: 'INR',
    reason_code: 'goods_not_received',
  };
  expect(parse(channel, event('payment.dispute.lost', { payment: payment(), dispute }))).toMatchObject({
    value: {
      arrivals: [
        { reversal: { reversalReference: 'disp_Test001', reason: 'chargeback: goods_not_received' } },
      ],
    },
  });
});

test.each(['payment.authorized', 'order.paid', 'refund.created', 'payment.dispute.won', 'something.new'])(
  '%s moves no money',
  (type) => {
    expect(parse(channel, event(type, { payment: payment(), refund: refund() }))).toEqual({
      ok: true,
      value: { arrivals: [], ignored: [type], rejected: [] },
    });
  },
);

test('every fault is told at once', () => {
  const bad = payment({ id: 5.5, amount: '100', notes: { cif: 'C' } });
  expect(
    faultsOf(channel, event('payment.captured', { payment: bad }, { created_at: '2026' })).toSorted(),
  ).toEqual([
    'created_at',
    'payload.payment.entity.amount',
    'payload.payment.entity.notes.loan_account_number',
  ]);
  expect(faultsOf(channel, '[]')).toEqual(['event']);
});
