// Reversals on a real database: never more than was paid, each once, and before their payment too.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { parseExactJson } from '../exact-json.ts';
import { paymentEvent, paymentFailed, paymentReversed } from './events.ts';
import type { NewFailure } from './failure.ts';
import type { NewPayment } from './payment.ts';
import { recordFailures } from './record-failures.ts';
import { recordPayments } from './record-payments.ts';
import type { NewReversal } from './reversal.ts';
import { reversePayments } from './reverse-payments.ts';
import { newPayment, newReversal } from './testing.ts';

let database: TestDatabase;
let owner: Pool;
let webhooks: Pool;

const connections = 10;
const open = (url: string, max = 2) =>
  openPool({ url, min: 0, max, applicationName: 'test', timeoutMs: 10_000 });

beforeAll(async () => {
  database = await createTestDatabase();
  owner = open(database.url);
  webhooks = open(database.urlFor('recoup_webhooks'), connections);
  await Promise.all(Array.from({ length: connections }, () => webhooks.query('select pg_sleep(0.1)')));
});
afterAll(async () => {
  await Promise.all([owner.close(), webhooks.close()]);
  await database.drop();
});

const euros = (amountMinor: bigint) => ({ amountMinor, currency: 'EUR' });
const record = (payment: NewPayment) => recordPayments(webhooks, [payment]);
const reverse = async (reversal: NewReversal, keepRefused = true) => {
  const [reversed] = await reversePayments(webhooks, [reversal], { keepRefused });
  if (!reversed) throw new Error('nothing was answered');
  return reversed;
};
const reversedOf = async ({ referenceNumber }: NewPayment) => {
  const rows = await owner.query<{ reversed: string }>(
    'select trim_scale(reversed)::text as reversed from payment_service.payment_references where reference_number = $1',
    [referenceNumber],
  );
  return rows.map((row) => row.reversed);
};
const messagesOf = async ({ referenceNumber }: { referenceNumber: string }, topic: string) => {
  const rows = await owner.query<{ payload: string }>(
    `select payload from outbox.messages where topic = $1 and payload like '%"' || $2 || '"%' order by position`,
    [topic, referenceNumber],
  );
  return rows.map((row) => parseExactJson(row.payload));
};

describe('a reversal of a recorded payment', () => {
  test('of all that is left is applied once, and a repetition is a duplicate', async () => {
    const payment = newPayment();
    const [recorded] = await record(payment);
    const reversal = newReversal(payment);
    const first = await reverse(reversal);
    expect(first).toMatchObject({ outcome: 'applied', paymentId: recorded?.paymentId });
    expect(await reverse(reversal)).toMatchObject({ outcome: 'duplicate', reversalId: first.reversalId });
    expect(await reversedOf(payment)).toEqual(['100.5']);
  });

  test('is announced on both topics, exact and in its shape', async () => {
    const payment = newPayment();
    await record(payment);
    await reverse(newReversal(payment, { amount: euros(50n), reversalReference: 'RV-PART' }));
    await reverse(newReversal(payment, { reversalReference: 'RV-REST' }));
    const events = (await messagesOf(payment, 'payment.events'))
      .slice(1)
      .map((e) => paymentReversed.parse(e));
    expect(events.map((e) => [e.reversal.reference, e.reversal.amount.rawJSON, e.payment.status])).toEqual([
      ['RV-PART', '0.50', 'partially_reversed'],
      ['RV-REST', '100.00', 'reversed'],
    ]);
    expect(events[1]?.reversal.reversed_total.rawJSON).toBe('100.50');
    const lifecycle = (await messagesOf(payment, 'payment.lifecycle')).map((e) => paymentEvent.parse(e));
    expect(lifecycle.map((e) => [e.type, e.status, e.amount?.rawJSON])).toEqual([
      ['PAYMENT_RECEIVED', 'received', '100.50'],
      ['PAYMENT_REVERSED', 'partially_reversed', '0.50'],
      ['PAYMENT_REVERSED', 'reversed', '100.00'],
    ]);
    expect(lifecycle.slice(1).map((e) => e.id)).toEqual(events.map((e) => e.event_id));
  });

  test.each([
    ['more than was paid', { amount: euros(10_051n) }, 'exceeds_payment'],
    ['another currency', { amount: { amountMinor: 100n, currency: 'USD' } }, 'other_currency'],
  ] as const)('of %s is refused, kept where it is asked for, and takes nothing', async (_, over, why) => {
    const payment = newPayment();
    await record(payment);
    expect(await reverse(newReversal(payment, over), false)).toMatchObject({
      outcome: 'refused',
      why,
      reversalId: null,
    });
    const kept = await reverse(newReversal(payment, over), true);
    expect(kept).toMatchObject({ outcome: 'refused', why });
    const rows = await owner.query(
      'select id, status, refusal from payment_service.payment_reversals where reference_number = $1',
      [payment.referenceNumber],
    );
    expect(rows).toEqual([{ id: kept.reversalId, status: 'refused', refusal: why }]);
    expect(await reversedOf(payment)).toEqual(['0']);
    expect(await messagesOf(payment, 'payment.events')).toHaveLength(1);
  });

  test('after a whole one has nothing left', async () => {
    const payment = newPayment();
    await record(payment);
    await reverse(newReversal(payment));
    expect(await reverse(newReversal(payment))).toMatchObject({ outcome: 'refused', why: 'nothing_left' });
  });

  test('under a reference that was used for another amount is a conflict and changes nothing', async () => {
    const payment = newPayment();
    await record(payment);
    await reverse(newReversal(payment, { reversalReference: 'RV-1', amount: euros(100n) }));
    const other = newReversal(payment, { reversalReference: 'RV-1', amount: euros(200n) });
    expect(await reverse(other)).toMatchObject({ outcome: 'conflict' });
    expect(await reversedOf(payment)).toEqual(['1']);
  });

  test('many at once never take more than was paid', async () => {
    const payment = newPayment({ amount: euros(500n) });
    await record(payment);
    const answers = await Promise.all(
      Array.from({ length: connections }, () => reverse(newReversal(payment, { amount: euros(100n) }))),
    );
    const applied = answers.filter(({ outcome }) => outcome === 'applied');
    expect(applied).toHaveLength(5);
    expect(await reversedOf(payment)).toEqual(['5']);
  });

  test('the same one many times at once is applied once', async () => {
    const payment = newPayment();
    await record(payment);
    const reversal = newReversal(payment, { amount: euros(100n) });
    const answers = await Promise.all(Array.from({ length: connections }, () => reverse(reversal)));
    expect(answers.filter(({ outcome }) => outcome === 'applied')).toHaveLength(1);
    expect(await reversedOf(payment)).toEqual(['1']);
  });
});

describe('a reversal that comes before its payment', () => {
  test('is held, and applied in the transaction that records the payment', async () => {
    const payment = newPayment();
    expect(await reverse(newReversal(payment, { amount: euros(50n) }))).toMatchObject({ outcome: 'held' });
    expect(await reversedOf(payment)).toEqual([]);
    await record(payment);
    expect(await reversedOf(payment)).toEqual(['0.5']);
    const types = (await messagesOf(payment, 'payment.events')).map(
      (e) => (e as { event_type: string }).event_type,
    );
    expect(types).toEqual(['payment.recorded', 'payment.reversed']);
  });

  test('is refused then when it asks for more than was paid', async () => {
    const payment = newPayment();
    await reverse(newReversal(payment, { amount: euros(99_999n) }));
    await record(payment);
    expect(await reversedOf(payment)).toEqual(['0']);
  });

  test('racing its payment from many sides is applied exactly once, whoever wins', async () => {
    for (let round = 0; round < 40; round += 1) {
      const payment = newPayment();
      const reversal = newReversal(payment, { amount: euros(100n) });
      await Promise.all([
        record(payment),
        reverse(reversal),
        record(payment),
        reverse(reversal),
        record(newPayment()),
      ]);
      expect(await reversedOf(payment), `round ${round}`).toEqual(['1']);
    }
  });
});

test('payments and reversals of any order and repetition end in the same totals', async () => {
  const step = fc.record({
    payment: fc.nat(2),
    kind: fc.constantFrom('record', 'reverse'),
    reversal: fc.nat(3),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
      const payments = [0, 1, 2].map(() => newPayment({ amount: euros(1_000n) }));
      const at = (n: number) => payments[n] as NewPayment;
      for (const { payment, kind, reversal } of steps) {
        if (kind === 'record') await record(at(payment));
        else {
          const amount = euros(BigInt(100 * (reversal + 1)));
          await reverse(newReversal(at(payment), { reversalReference: `RV-${reversal}`, amount }));
        }
      }
      for (const payment of payments) await record(payment);
      for (const [n, payment] of payments.entries()) {
        const asked = new Set(
          steps.filter((s) => s.kind === 'reverse' && s.payment === n).map((s) => s.reversal),
        );
        const total = [...asked].reduce((sum, reversal) => sum + reversal + 1, 0);
        expect(await reversedOf(payment)).toEqual([String(total)]);
      }
    }),
    { numRuns: 15 },
  );
}, 60_000);

describe('a failed attempt', () => {
  const failure = (over: Partial<NewFailure> = {}): NewFailure => ({
    namespace: 'default',
    referenceNumber: `REF-${crypto.randomUUID()}`,
    failureReference: 'evt_1',
    loanAccountNumber: null,
    cif: null,
    amount: null,
    reason: 'insufficient_funds',
    occurredAt: new Date('2026-11-24T08:00:00.000Z'),
    paymentChannel: 'bank',
    source: 'webhook',
    actor: 'channel:bank',
    ...over,
  });

  test('is kept once, announced on both topics, and leaves the reference free', async () => {
    const first = failure();
    expect(await recordFailures(webhooks, [first, first, failure()])).toEqual([
      'recorded',
      'duplicate',
      'recorded',
    ]);
    expect(await recordFailures(webhooks, [first])).toEqual(['duplicate']);
    const [event, ...others] = await messagesOf(first, 'payment.events');
    expect(others).toEqual([]);
    expect(paymentFailed.parse(event)).toMatchObject({ payment: { amount: null, cif: null } });
    const [lifecycle] = await messagesOf(first, 'payment.lifecycle');
    expect(paymentEvent.parse(lifecycle)).toMatchObject({ type: 'PAYMENT_FAILED', status: 'failed' });
    expect(await record(newPayment({ referenceNumber: first.referenceNumber }))).toMatchObject([
      { outcome: 'created' },
    ]);
  });

  test('with an amount announces it with its digits', async () => {
    const yen = failure({
      amount: { amountMinor: 500n, currency: 'JPY' },
      loanAccountNumber: 'LN-1',
      cif: 'CIF-1',
    });
    await recordFailures(webhooks, [yen]);
    const [event] = await messagesOf(yen, 'payment.events');
    expect(paymentFailed.parse(event).payment.amount?.rawJSON).toBe('500');
  });
});
