import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { channelOf, faultsOf, hexHmac, parse, seconds, verdict } from './testing.ts';

const secret = 'whsec_test_of_the_first_secret';
const previous = 'whsec_test_of_the_one_before';
const channel = channelOf('stripe', {}, { secret });

/** An event around an object, as Stripe sends it. */
const event = (type: string, object: object, over: object = {}) => ({
  id: 'evt_1TestEvent',
  object: 'event',
  api_version: '2026-08-27.basil',
  created: seconds(-20),
  livemode: true,
  pending_webhooks: 1,
  request: { id: null, idempotency_key: null },
  type,
  data: { object },
  ...over,
});
const intent = (over: object = {}) => ({
  id: 'pi_3TestIntent',
  object: 'payment_intent',
  amount: 10050,
  amount_received: 10050,
  currency: 'eur',
  created: seconds(-4000),
  customer: null,
  description: 'Instalment',
  last_payment_error: null,
  latest_charge: 'ch_3TestCharge',
  metadata: { loan_account_number: 'LN00001234', cif: 'CIF000077', order: '10.10' },
  status: 'succeeded',
  ...over,
});
const refund = (over: object = {}) => ({
  id: 're_3TestRefund',
  object: 'refund',
  amount: 2500,
  charge: 'ch_3TestCharge',
  created: seconds(-30),
  currency: 'eur',
  metadata: {},
  payment_intent: 'pi_3TestIntent',
  reason: 'requested_by_customer',
  status: 'succeeded',
  ...over,
});
const dispute = (over: object = {}) => ({
  id: 'du_1TestDispute',
  object: 'dispute',
  amount: 10050,
  charge: 'ch_3TestCharge',
  currency: 'eur',
  metadata: {},
  payment_intent: 'pi_3TestIntent',
  reason: 'fraudulent',
  status: 'needs_response',
  ...over,
});
const arrivals = (body: unknown) => {
  const parsed = parse(channel, body);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.refusal));
  return parsed.value.arrivals;
};

describe('its signature', () => {
  const body = JSON.stringify(event('payment_intent.succeeded', intent()));
  const sign = (text: string, { by = secret, at = seconds() } = {}) => hexHmac(by, `${at}.${text}`);
  const header = (text: string, { by = secret, at = seconds() } = {}) => ({
    'stripe-signature': `t=${at},v1=${sign(text, { by, at })},v0=${'0'.repeat(64)}`,
  });

  test('is good for any body that was signed, and for no other', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.string(), async (text, other) => {
        expect(await verdict(channel, header(text), text)).toBe('ok');
        fc.pre(other !== text);
        expect(await verdict(channel, header(text), other)).toBe('mismatch');
      }),
      { numRuns: 30 },
    );
  });

  test('while a secret is rotated both are good, a stranger’s is not', async () => {
    const rotating = channelOf('stripe', {}, { secret, previous });
    expect(await verdict(rotating, header(body), body)).toBe('ok');
    expect(await verdict(rotating, header(body, { by: previous }), body)).toBe('ok');
    expect(await verdict(rotating, header(body, { by: 'whsec_of_somebody_else_' }), body)).toBe('mismatch');
    expect(await verdict(channel, header(body, { by: previous }), body)).toBe('mismatch');
  });

  test('of several the one that fits is enough, as when Stripe rotates', async () => {
    const both = `t=${seconds()},v1=${sign(body, { by: previous })},v1=${sign(body)}`;
    expect(await verdict(channel, { 'stripe-signature': both }, body)).toBe('ok');
  });

  test.each([
    [-301, 'expired'],
    [-299, 'ok'],
    [300, 'ok'],
    [301, 'expired'],
  ])('made %d s from now is %s', async (offset, expected) => {
    expect(await verdict(channel, header(body, { at: seconds(offset) }), body)).toBe(expected);
  });

  test('holds its time', async () => {
    const moved = `t=${seconds(1)},v1=${sign(body)}`;
    expect(await verdict(channel, { 'stripe-signature': moved }, body)).toBe('mismatch');
  });

  test.each([
    [undefined, 'missing_header'],
    ['', 'missing_header'],
    [`v1=${sign(body)}`, 'malformed_header'],
    [`t=${seconds()}`, 'malformed_header'],
    [`t=${seconds()},v0=${sign(body)}`, 'malformed_header'],
    [`t=soon,v1=${sign(body)}`, 'malformed_header'],
    [`t=${seconds()},v1=zz`, 'malformed_header'],
    [`t=${seconds()},v1=`, 'malformed_header'],
  ])('in the header %j is refused: %s', async (value, expected) => {
    expect(await verdict(channel, { 'stripe-signature': value }, body)).toBe(expected);
  });

  test('is not asked for where there is no secret: nothing is accepted', async () => {
    expect(await verdict(channelOf('stripe'), header(body), body)).toBe('no_secret');
  });
});

test.each(['whsec_short', 'sk_live_0123456789abcdef0123', 'whsec_with blank in it 0123456789'])(
  '%j is no secret of a Stripe channel',
  (wrong) => {
    expect(() => channelOf('stripe', {}, { secret: wrong })).toThrow('expected whsec_');
  },
);

test('payment_intent.succeeded is a payment, dated by the event', () => {
  expect(arrivals(event('payment_intent.succeeded', intent()))).toEqual([
    {
      kind: 'payment',
      payment: {
        namespace: 'default',
        referenceNumber: 'pi_3TestIntent',
        loanAccountNumber: 'LN00001234',
        cif: 'CIF000077',
        amount: { amountMinor: 10_050n, currency: 'EUR' },
        paymentDate: new Date(seconds(-20) * 1000),
        paidOn: '2026-11-23',
        paymentChannel: 'psp',
        metadata: '{"loan_account_number":"LN00001234","cif":"CIF000077","order":"10.10"}',
        requiresReceipt: false,
        source: 'webhook',
        actor: 'channel:psp',
      },
    },
  ]);
});

test('the loan and the customer stand where the channel says, also in the description', () => {
  const named = channelOf('stripe', { loanAccountField: 'loan', cifField: 'description' });
  const body = event(
    'payment_intent.succeeded',
    intent({ description: 'CIF-9', metadata: { loan: 'LN-9' } }),
  );
  expect(parse(named, body)).toMatchObject({
    value: { arrivals: [{ payment: { loanAccountNumber: 'LN-9', cif: 'CIF-9' } }] },
  });
});

test('a payment whose loan is not named, or not well, is a body that failed validation', () => {
  const metadata = { loan_account_number: 'x'.repeat(21), cif: ' ' };
  expect(faultsOf(channel, event('payment_intent.succeeded', intent({ metadata })))).toEqual([
    'data.object.metadata.loan_account_number',
    'data.object.metadata.cif',
  ]);
  expect(faultsOf(channel, event('payment_intent.succeeded', intent({ metadata: {} })))).toHaveLength(2);
});

test('every fault is told at once', () => {
  const bad = intent({ id: '', amount_received: 1.5, currency: 'xyz', metadata: null });
  expect(faultsOf(channel, event('payment_intent.succeeded', bad, { created: 'now' })).toSorted()).toEqual([
    'created',
    'data.object.currency',
    'data.object.id',
    'data.object.metadata.cif',
    'data.object.metadata.loan_account_number',
  ]);
});

test.each([
  ['eur', 1, '0.01', 1n],
  ['jpy', 500, '500', 500n],
  ['kwd', 5120, '5.120', 5_120n],
  ['mga', 5, 'without decimals, where ISO 4217 has two', 500n],
  ['isk', 500, '5, written with two decimals that it has not', 5n],
  ['ugx', 12300, '123, written with two decimals that it has not', 123n],
  ['eur', 123456789012345, 'more digits than is good for a double to divide', 123_456_789_012_345n],
])('%s %d is %s', (currency, amount, _, amountMinor) => {
  const body = event('payment_intent.succeeded', intent({ currency, amount_received: amount }));
  expect(arrivals(body)).toMatchObject([
    { payment: { amount: { amountMinor, currency: currency.toUpperCase() } } },
  ]);
});

test.each([
  ['isk', '550'],
  ['ugx', '1'],
  ['eur', '0'],
  ['eur', '-5'],
  ['eur', '1e2'],
  ['eur', '100.0'],
  ['eur', '9007199254740993'],
  ['eur', '"100"'],
])('%s %s is no amount', (currency, source) => {
  const body = JSON.stringify(event('payment_intent.succeeded', intent({ currency, amount_received: 777 })));
  expect(faultsOf(channel, body.replace('777', source))).toEqual(['data.object.amount_received']);
});

test('a card number in metadata is masked, an identifier is not', () => {
  const metadata = {
    loan_account_number: '4111111111111111',
    cif: 'C-1',
    note: 'paid with 4111 1111 1111 1111',
    cvc: '123',
  };
  const [arrival] = arrivals(event('payment_intent.succeeded', intent({ metadata })));
  expect(arrival).toMatchObject({ payment: { loanAccountNumber: '4111111111111111' } });
  expect(JSON.parse((arrival as { payment: { metadata: string } }).payment.metadata)).toEqual({
    loan_account_number: '4111111111111111',
    cif: 'C-1',
    note: 'paid with [card 1111]',
    cvc: '***',
  });
});

test('payment_intent.payment_failed is a failure, named by the event', () => {
  const object = intent({
    last_payment_error: { code: 'card_declined', decline_code: 'insufficient_funds', message: 'Declined.' },
  });
  expect(arrivals(event('payment_intent.payment_failed', object))).toMatchObject([
    {
      kind: 'failure',
      failure: {
        referenceNumber: 'pi_3TestIntent',
        failureReference: 'evt_1TestEvent',
        loanAccountNumber: 'LN00001234',
        cif: 'CIF000077',
        amount: { amountMinor: 10_050n },
        reason: 'insufficient_funds',
      },
    },
  ]);
  expect(arrivals(event('payment_intent.payment_failed', intent({ metadata: {} })))).toMatchObject([
    { failure: { loanAccountNumber: null, cif: null, reason: 'failed' } },
  ]);
});

const reversal = {
  kind: 'reversal',
  reversal: {
    namespace: 'default',
    referenceNumber: 'pi_3TestIntent',
    reversalReference: 're_3TestRefund',
    amount: { amountMinor: 2_500n, currency: 'EUR' },
    reason: 'refund: requested_by_customer',
    occurredAt: new Date(seconds(-20) * 1000),
    source: 'webhook',
    actor: 'channel:psp',
  },
};
test.each(['refund.created', 'refund.updated', 'charge.refund.updated'])(
  '%s of a refund that succeeded is a reversal, named by the refund',
  (type) => {
    expect(arrivals(event(type, refund()))).toEqual([reversal]);
  },
);

test('a refund without an intent reverses its charge', () => {
  expect(arrivals(event('refund.created', refund({ payment_intent: null })))).toMatchObject([
    { reversal: { referenceNumber: 'ch_3TestCharge' } },
  ]);
});

test('a refund that is pending, or that failed before it was sent, moves nothing', () => {
  for (const object of [
    refund({ status: 'pending' }),
    refund({ status: 'failed' }),
    refund({ status: 'canceled' }),
  ]) {
    expect(parse(channel, event('refund.updated', object))).toEqual({
      ok: true,
      value: { arrivals: [], ignored: ['refund.updated'], rejected: [] },
    });
  }
});

test('a refund that failed after it had succeeded is money that came back: for staff, unless its loan is named', () => {
  const data = { object: refund({ status: 'failed' }), previous_attributes: { status: 'succeeded' } };
  expect(faultsOf(channel, event('refund.updated', {}, { data }))).toHaveLength(2);
  const named = {
    ...data,
    object: refund({ status: 'failed', metadata: { loan_account_number: 'L', cif: 'C' } }),
  };
  expect(arrivals(event('refund.updated', {}, { data: named }))).toMatchObject([
    { kind: 'payment', payment: { referenceNumber: 're_3TestRefund', amount: { amountMinor: 2_500n } } },
  ]);
});

test('charge.refunded tells every refund of its list, and nothing where it has none', () => {
  const charge = {
    id: 'ch_3TestCharge',
    object: 'charge',
    payment_intent: 'pi_3TestIntent',
    amount_refunded: 2500,
  };
  const refunds = { object: 'list', data: [refund(), refund({ id: 're_2', status: 'pending' })] };
  expect(arrivals(event('charge.refunded', { ...charge, refunds }))).toEqual([
    { ...reversal, reversal: { ...reversal.reversal, occurredAt: new Date(seconds(-30) * 1000) } },
  ]);
  expect(parse(channel, event('charge.refunded', charge))).toMatchObject({
    value: { ignored: ['charge.refunded'] },
  });
  const broken = { object: 'list', data: [refund({ id: 7, currency: '?' })] };
  expect(faultsOf(channel, event('charge.refunded', { ...charge, refunds: broken }))).toEqual([
    'data.object.refunds.data.0.currency',
  ]);
});

test('a dispute reverses when the money is withdrawn, and not when it is closed', () => {
  expect(arrivals(event('charge.dispute.funds_withdrawn', dispute()))).toMatchObject([
    {
      kind: 'reversal',
      reversal: {
        referenceNumber: 'pi_3TestIntent',
        reversalReference: 'du_1TestDispute',
        amount: { amountMinor: 10_050n },
        reason: 'chargeback: fraudulent',
      },
    },
  ]);
  for (const type of ['charge.dispute.created', 'charge.dispute.closed']) {
    expect(parse(channel, event(type, dispute({ status: 'lost' })))).toMatchObject({
      value: { ignored: [type] },
    });
  }
  expect(faultsOf(channel, event('charge.dispute.funds_reinstated', dispute()))).toHaveLength(2);
});

test('an event that is no payment is ignored by its type', () => {
  expect(parse(channel, event('customer.created', { id: 'cus_1' }))).toEqual({
    ok: true,
    value: { arrivals: [], ignored: ['customer.created'], rejected: [] },
  });
});

test('what is no event is refused', () => {
  expect(parse(channel, '{')).toMatchObject({ ok: false, refusal: { kind: 'malformed' } });
  for (const body of ['[]', '{}', 'null']) expect(faultsOf(channel, body), body).toEqual(['type']);
});

test('whatever is thrown at it, it answers', () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.constantFrom('payment_intent.succeeded', 'refund.created', 'charge.refunded'),
      (object, type) => {
        const parsed = parse(channel, { type, id: 'evt', created: 1, data: { object } });
        expect(parsed.ok || parsed.refusal.kind === 'invalid' || parsed.refusal.kind === 'malformed').toBe(
          true,
        );
      },
    ),
  );
});
