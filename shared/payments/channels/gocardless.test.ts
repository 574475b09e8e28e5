import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  type GoCardless,
  goCardlessEvent,
  goCardlessPayment,
  startGoCardless,
  token,
} from '../../../test/providers/gocardless.ts';
import type { ChannelOf } from '../channel.ts';
import type { NewNotice } from '../notice.ts';
import { ProviderFault } from '../scheme.ts';
import { gocardless } from './gocardless.ts';
import { business, channelOf, faultsOf, hexHmac, parse, verdict } from './testing.ts';

const secret = 'secret-of-the-endpoint-1';
const previous = 'secret-of-the-endpoint-0';
const configured = channelOf('gocardless', {}, { secret, token });
let api: GoCardless;
let channel: ChannelOf<'gocardless'>;

beforeAll(async () => {
  api = await startGoCardless();
  channel = { ...configured, api: { url: api.url, token } };
});
afterAll(() => api.close());
beforeEach(() => {
  api.payments.clear();
  api.refunds.clear();
  api.events.length = 0;
  api.payments.set('PM0001TEST', goCardlessPayment());
});

const body = (...events: unknown[]) => ({ events, meta: { webhook_id: 'WB0001TEST' } });
const signed = (text: string, by = secret) => ({ 'webhook-signature': hexHmac(by, text) });

test('what was signed is accepted, and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.string(), async (text, other) => {
      expect(await verdict(configured, signed(text), text)).toBe('ok');
      fc.pre(other !== text);
      expect(await verdict(configured, signed(text), other)).toBe('mismatch');
    }),
    { numRuns: 30 },
  );
  const rotating = channelOf('gocardless', {}, { secret, previous });
  expect(await verdict(rotating, signed('{}', previous), '{}')).toBe('ok');
  expect(await verdict(configured, signed('{}', previous), '{}')).toBe('mismatch');
  expect(await verdict(configured, {}, '{}')).toBe('missing_header');
  expect(await verdict(channelOf('gocardless'), signed('{}'), '{}')).toBe('no_secret');
});

test('an event that concerns money is a notice about its payment or refund', () => {
  const event = goCardlessEvent('confirmed', { metadata: { card: '4111111111111111' } });
  const refund = goCardlessEvent('paid', { id: 'EV2', resource_type: 'refunds', links: { refund: 'RF1' } });
  expect(parse(configured, body(event, refund, goCardlessEvent('created')))).toEqual({
    ok: true,
    value: {
      arrivals: [
        {
          kind: 'notice',
          notice: {
            channel: 'psp',
            noticeReference: 'EV0001TEST',
            subject: 'PM0001TEST',
            payload: JSON.stringify({ ...event, metadata: { card: '[card 1111]' } }),
            standing: false,
            actor: 'channel:psp',
          },
        },
        { kind: 'notice', notice: expect.objectContaining({ noticeReference: 'EV2', subject: 'RF1' }) },
      ],
      ignored: ['payments.created'],
      rejected: [],
    },
  });
});

test('an event that cannot be read holds back no other, and is a body of its own', () => {
  const bad = goCardlessEvent('confirmed', { id: 'EV2', links: {} });
  const parsed = parse(configured, body(bad, goCardlessEvent('failed'), 7));
  if (!parsed.ok) throw new Error('refused');
  expect(parsed.value.arrivals).toMatchObject([{ notice: { noticeReference: 'EV0001TEST' } }]);
  expect(parsed.value.rejected.map((part) => part.refusal)).toMatchObject([
    { faults: [{ field: 'links.payment' }] },
    { faults: [{ field: 'resource_type' }, { field: 'action' }] },
  ]);
  const mended = parsed.value.rejected[0]?.body.replace('"links":{}', '"links":{"payment":"PM9"}');
  expect(parse(configured, mended)).toMatchObject({ value: { arrivals: [{ notice: { subject: 'PM9' } }] } });
  expect(faultsOf(configured, {})).toEqual(['events']);
});

const noticeOf = (event: object): NewNotice & { cursor: null } => {
  const parsed = parse(configured, body(event));
  const [arrival] = parsed.ok ? parsed.value.arrivals : [];
  if (arrival?.kind !== 'notice') throw new Error('no notice');
  return { ...arrival.notice, cursor: null };
};
const ask = (event: object, of = channel) => gocardless.api.ask(noticeOf(event), of, business, fetch);
const asked = async (event: object) => {
  const answer = await ask(event);
  if (!answer.ok) throw new Error(JSON.stringify(answer.refusal));
  return answer.value.arrivals;
};

const payment = {
  kind: 'payment',
  payment: {
    namespace: 'default',
    referenceNumber: 'PM0001TEST',
    loanAccountNumber: 'LN00001234',
    cif: 'CIF000077',
    amount: { amountMinor: 10_050n, currency: 'GBP' },
    paymentDate: new Date('2026-11-19T23:00:00.000Z'),
    paidOn: '2026-11-20',
    paymentChannel: 'psp',
    metadata: '{"loan_account_number":"LN00001234","cif":"CIF000077"}',
    requiresReceipt: false,
    source: 'webhook',
    actor: 'channel:psp',
  },
};

test('a payment that is confirmed and later paid out is the same payment both times, dated by its charge', async () => {
  expect(await asked(goCardlessEvent('confirmed'))).toEqual([payment]);
  const later = goCardlessEvent('paid_out', { id: 'EV2', created_at: '2026-11-27T09:00:00.000Z' });
  expect(await asked(later)).toEqual([payment]);
});

const failure = {
  kind: 'failure',
  failure: { referenceNumber: 'PM0001TEST', failureReference: 'EV0001TEST', loanAccountNumber: 'LN00001234' },
};
const lateFailure = {
  kind: 'reversal',
  reversal: { referenceNumber: 'PM0001TEST', reversalReference: 'PM0001TEST:late_failure', amount: null },
};

test('a payment that failed before it was confirmed is a failure', async () => {
  const details = { origin: 'bank', cause: 'insufficient_funds', will_attempt_retry: false };
  const arrivals = await asked(goCardlessEvent('failed', { details }));
  expect(arrivals).toMatchObject([
    { ...failure, failure: { ...failure.failure, reason: 'insufficient_funds' } },
  ]);
  expect(await asked(goCardlessEvent('cancelled'))).toMatchObject([failure]);
});

test('one that failed after it was confirmed is reversed as well, and once only', async () => {
  api.events.push(goCardlessEvent('confirmed', { id: 'EV0', created_at: '2026-11-21T09:00:00.000Z' }));
  const first = await asked(goCardlessEvent('failed'));
  expect(first).toMatchObject([failure, lateFailure]);
  const settled = await asked(goCardlessEvent('late_failure_settled', { id: 'EV2' }));
  expect(settled).toMatchObject([lateFailure]);
});

test('a confirmation after the failure, of a retry, does not make it a late one', async () => {
  api.events.push(goCardlessEvent('confirmed', { id: 'EV2', created_at: '2026-11-25T09:00:00.000Z' }));
  expect(await asked(goCardlessEvent('failed'))).toMatchObject([failure]);
});

test('a chargeback reverses, and one that is cancelled is money that came back', async () => {
  expect(await asked(goCardlessEvent('charged_back'))).toMatchObject([
    { reversal: { referenceNumber: 'PM0001TEST', reversalReference: 'PM0001TEST:chargeback', amount: null } },
  ]);
  expect(await asked(goCardlessEvent('chargeback_cancelled'))).toMatchObject([
    { payment: { referenceNumber: 'PM0001TEST:chargeback_cancelled', amount: { amountMinor: 10_050n } } },
  ]);
});

test('a refund that is paid reverses its own amount, and one that is returned is money that came back', async () => {
  api.refunds.set('RF1', {
    id: 'RF1',
    amount: 2500,
    currency: 'GBP',
    links: { payment: 'PM0001TEST' },
    metadata: {},
  });
  const of = { resource_type: 'refunds', links: { refund: 'RF1' } };
  expect(await asked(goCardlessEvent('paid', of))).toMatchObject([
    {
      reversal: { referenceNumber: 'PM0001TEST', reversalReference: 'RF1', amount: { amountMinor: 2_500n } },
    },
  ]);
  expect(await asked(goCardlessEvent('funds_returned', of))).toMatchObject([
    { payment: { referenceNumber: 'RF1:funds_returned', amount: { amountMinor: 2_500n } } },
  ]);
});

test('a payment whose loan is not named is refused for good, with the fields', async () => {
  api.payments.set('PM0001TEST', goCardlessPayment({ metadata: {}, amount: 1.5 }));
  const answer = await ask(goCardlessEvent('confirmed'));
  expect(answer).toMatchObject({
    ok: false,
    refusal: {
      faults: [
        { field: 'payments.amount' },
        { field: 'payments.metadata.loan_account_number' },
        { field: 'payments.metadata.cif' },
      ],
    },
  });
});

test('an API that does not answer as it should is worth asking again, and its fault says nothing of values', async () => {
  const fault = async (of = channel) => {
    const error = await ask(goCardlessEvent('confirmed'), of).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(ProviderFault);
    return (error as Error).message;
  };
  api.next({ status: 500, body: {} });
  expect(await fault()).toBe('the API of psp answered 500');
  api.next({ status: 200, body: '<html>' });
  expect(await fault()).toBe('the API of psp answered 200 without JSON');
  api.next({ status: 302, body: '' });
  expect(await fault()).toMatch(/answered 302/);
  api.payments.clear();
  expect(await fault()).toBe('the API of psp answered 404');
  expect(await fault({ ...channel, api: { url: 'http://127.0.0.1:9', token } })).toBe(
    'the API of psp is away',
  );
  expect(await fault({ ...channel, api: { url: api.url, token: 'wrong' } })).toBe(
    'the API of psp answered 401',
  );
  expect(await fault({ ...channel, api: { url: api.url, token: undefined } })).toBe('psp has no API token');
});
