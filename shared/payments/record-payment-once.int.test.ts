// Requests under an Idempotency-Key: done once, whatever comes twice, at once or after a crash.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import {
  type IdempotencyKey,
  idempotencyKeyDays,
  isIdempotencyKey,
  requestHash,
} from '../operations/idempotency-key.ts';
import { keepAnswer } from '../operations/keep-answer.ts';
import { removeOldIdempotencyKeys } from '../operations/remove-old-idempotency-keys.ts';
import type { NewPayment } from './payment.ts';
import { recordPaymentOnce } from './record-payment-once.ts';
import { reversePaymentOnce } from './reverse-payment-once.ts';
import { newPayment, newReversal } from './testing.ts';

let database: TestDatabase;
let owner: Pool;
let api: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 2, applicationName: 'test', timeoutMs: 10_000 });
  api = openPool({
    url: database.urlFor('recoup_api'),
    min: 0,
    max: 10,
    applicationName: 'test',
    timeoutMs: 10_000,
  });
});
afterAll(async () => {
  await Promise.all([owner.close(), api.close()]);
  await database.drop();
});

const keyFor = async (request: unknown, over: Partial<IdempotencyKey> = {}): Promise<IdempotencyKey> => ({
  actor: 'key:caller',
  key: crypto.randomUUID(),
  request: await requestHash(request),
  ...over,
});
const countOf = async (table: string, { referenceNumber }: NewPayment) => {
  const [row] = await owner.query<{ n: number }>(
    `select count(*)::int as n from ${table} where reference_number = $1`,
    [referenceNumber],
  );
  return row?.n;
};

describe('a payment under a key', () => {
  test('is recorded once, and a repetition is told what the first came to', async () => {
    const payment = newPayment();
    const key = await keyFor(payment);
    const first = await recordPaymentOnce(api, payment, key);
    expect(first).toMatchObject({ state: 'new', done: { outcome: 'created' }, answer: null });
    // The process died before it had answered: the repetition may still answer as the first would have.
    const again = await recordPaymentOnce(api, payment, key);
    expect(again).toEqual({ ...first, state: 'repeated' });
    expect(await keepAnswer(api, key, 'first answer')).toBe('first answer');
    expect(await keepAnswer(api, key, 'second answer')).toBe('first answer');
    expect(await recordPaymentOnce(api, payment, key)).toMatchObject({
      state: 'repeated',
      answer: 'first answer',
    });
  });

  test('another request under it is refused and does nothing, another caller’s key is another key', async () => {
    const payment = newPayment();
    const other = newPayment();
    const key = await keyFor(payment);
    await recordPaymentOnce(api, payment, key);
    const reused = { ...key, request: await requestHash(other) };
    expect(await recordPaymentOnce(api, other, reused)).toEqual({ state: 'reused' });
    expect(await countOf('payment_service.payments', other)).toBe(0);
    expect(await recordPaymentOnce(api, other, { ...reused, actor: 'key:another' })).toMatchObject({
      state: 'new',
    });
  });

  test('that cannot be recorded leaves the key free', async () => {
    const payment = newPayment();
    const key = await keyFor(payment);
    const impossible = { ...payment, metadata: 'no JSON' };
    await expect(recordPaymentOnce(api, impossible, key)).rejects.toMatchObject({ name: 'DatabaseFault' });
    expect(await recordPaymentOnce(api, payment, key)).toMatchObject({
      state: 'new',
      done: { outcome: 'created' },
    });
  });

  test('stands for a conflict as well, and shares its keys with reversals', async () => {
    const payment = newPayment();
    await recordPaymentOnce(api, payment, undefined);
    const other = { ...payment, loanAccountNumber: 'LN-2' };
    const key = await keyFor(other);
    const first = await recordPaymentOnce(api, other, key);
    expect(first).toMatchObject({ state: 'new', done: { outcome: 'conflict' } });
    expect(await recordPaymentOnce(api, other, key)).toEqual({ ...first, state: 'repeated' });
    const reversal = newReversal(payment);
    const reused = { ...key, request: await requestHash(reversal) };
    expect(await reversePaymentOnce(api, reversal, reused)).toEqual({ state: 'reused' });
  });
});

test('a reversal under a key is applied once, a refused one is refused as before', async () => {
  const payment = newPayment();
  await recordPaymentOnce(api, payment, undefined);
  const part = newReversal(payment, { amount: { amountMinor: 100n, currency: 'EUR' } });
  const key = await keyFor(part);
  const first = await reversePaymentOnce(api, part, key);
  expect(first).toMatchObject({ state: 'new', done: { outcome: 'applied' } });
  expect(await reversePaymentOnce(api, part, key)).toEqual({ ...first, state: 'repeated' });
  const tooMuch = newReversal(payment, { amount: { amountMinor: 10_000n, currency: 'EUR' } });
  const another = await keyFor(tooMuch);
  const refused = await reversePaymentOnce(api, tooMuch, another);
  expect(refused).toMatchObject({ done: { outcome: 'refused', why: 'exceeds_payment', reversalId: null } });
  expect(await reversePaymentOnce(api, tooMuch, another)).toEqual({ ...refused, state: 'repeated' });
  expect(await countOf('payment_service.payment_reversals', payment)).toBe(1);
});

test('whatever comes at once under a few keys, each key does one request once and says so to all', async () => {
  const request = fc.record({ caller: fc.nat(1), key: fc.nat(2), payment: fc.nat(2) });
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 2, maxLength: 12 }), async (requests) => {
      const run = crypto.randomUUID();
      const payments = [0, 1, 2].map(() => newPayment());
      const answers = await Promise.all(
        requests.map(async ({ caller, key, payment: n }) => {
          const payment = payments[n] as NewPayment;
          const bound = await keyFor(payment, { actor: `key:${caller}`, key: `${run}:${key}` });
          const once = await recordPaymentOnce(api, payment, bound);
          return { slot: `${caller}:${key}`, payment: n, once };
        }),
      );
      for (const slot of Object.values(Object.groupBy(answers, (answer) => answer.slot))) {
        const winners = slot?.filter(({ once }) => once.state === 'new') ?? [];
        expect(winners).toHaveLength(1);
        for (const { payment, once } of slot ?? []) {
          if (payment !== winners[0]?.payment) expect(once.state).toBe('reused');
          else expect({ ...once, state: 'new' }).toEqual(winners[0].once);
        }
      }
      for (const [n, payment] of payments.entries()) {
        const done = answers.filter((answer) => answer.payment === n && answer.once.state === 'new');
        const created = done.filter(({ once }) => once.state === 'new' && once.done.outcome === 'created');
        expect(created).toHaveLength(Math.min(done.length, 1));
        expect(await countOf('payment_service.payments', payment)).toBe(created.length);
      }
    }),
    { numRuns: 25 },
  );
}, 60_000);

test('keys are forgotten when they are old, so many at a time, and what was done stays done', async () => {
  await owner.query('delete from operations.idempotency_keys');
  const payments = Array.from({ length: 5 }, () => newPayment());
  const keys = await Promise.all(payments.map((payment) => keyFor(payment)));
  for (const [n, payment] of payments.entries()) await recordPaymentOnce(api, payment, keys[n]);
  const age = (n: number, days: number) =>
    owner.query(
      `update operations.idempotency_keys set created_at = now() - make_interval(days => $1) where key = $2`,
      [days, keys[n]?.key],
    );
  for (const n of [0, 1, 2]) await age(n, idempotencyKeyDays + 1);
  await age(3, idempotencyKeyDays - 1);
  expect(await removeOldIdempotencyKeys(owner, 2)).toBe(2);
  expect(await removeOldIdempotencyKeys(owner, 2)).toBe(1);
  expect(await removeOldIdempotencyKeys(owner, 2)).toBe(0);
  expect(await owner.query('select key from operations.idempotency_keys')).toHaveLength(2);
  expect(await recordPaymentOnce(api, payments[0] as NewPayment, keys[0])).toMatchObject({
    state: 'new',
    done: { outcome: 'duplicate' },
  });
  await expect(removeOldIdempotencyKeys(api, 2)).rejects.toMatchObject({ sqlState: '42501' });
});

test.each([
  ['a', true],
  ['~'.repeat(255), true],
  ['8e03978e-40d5-43dd-bc93-6894a57f9324', true],
  ['', false],
  ['a b', false],
  ['x'.repeat(256), false],
  ['ü', false],
  ['a\n', false],
])('%j as a key is %s', (text, is) => {
  expect(isIdempotencyKey(text)).toBe(is);
});
