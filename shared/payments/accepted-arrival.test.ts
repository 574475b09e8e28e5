import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { currencies } from '../money.ts';
import { writeAcceptedArrival } from './accepted-arrival.ts';
import type { Arrival } from './arrival.ts';
import { readAcceptedArrival } from './read-accepted-arrival.ts';
import { newPayment, newReversal } from './testing.ts';

const words = fc.string({ unit: 'binary' });
const money = fc.record({
  amountMinor: fc.bigInt({ min: 1n, max: 10n ** 17n - 1n }),
  currency: fc.constantFrom(...currencies),
});
const instant = fc.date({
  noInvalidDate: true,
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
});
const identity = { namespace: words, referenceNumber: words };
const origin = {
  source: fc.constantFrom('webhook' as const, 'staging' as const, 'api' as const, 'sync' as const),
  actor: words,
};
const payment = fc.record({
  ...identity,
  ...origin,
  loanAccountNumber: words,
  cif: words,
  amount: money,
  paymentDate: instant,
  paidOn: instant.map((at) => at.toISOString().slice(0, 10)),
  paymentChannel: words,
  metadata: fc.json(),
  requiresReceipt: fc.boolean(),
});
const reversal = fc.record({
  ...identity,
  ...origin,
  reversalReference: words,
  amount: fc.option(money),
  reason: words,
  occurredAt: instant,
});
const failure = fc.record({
  ...identity,
  ...origin,
  failureReference: words,
  loanAccountNumber: fc.option(words),
  cif: fc.option(words),
  amount: fc.option(money),
  reason: words,
  occurredAt: instant,
  paymentChannel: words,
});
const arrival: fc.Arbitrary<Arrival> = fc.oneof(
  payment.map((p) => ({ kind: 'payment' as const, payment: p })),
  reversal.map((r) => ({ kind: 'reversal' as const, reversal: r })),
  failure.map((f) => ({ kind: 'failure' as const, failure: f })),
);

test('whatever is written is read as exactly what it was', () => {
  fc.assert(
    fc.property(arrival, (given) => {
      expect(readAcceptedArrival(writeAcceptedArrival(given))).toEqual({ ok: true, value: given });
    }),
  );
});

test('metadata keeps the digits that a double would lose', () => {
  const metadata = '{"precise": 10.000000000000000001, "huge": 12345678901234567890, "spaced" :  1e2}';
  const written = writeAcceptedArrival({ kind: 'payment', payment: newPayment({ metadata }) });
  expect(readAcceptedArrival(written)).toMatchObject({ ok: true, value: { payment: { metadata } } });
});

test('any text is read or refused with a reason, and never throws', () => {
  const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.json(), arrival.map(writeAcceptedArrival));
  fc.assert(
    fc.property(texts, fc.nat(), fc.nat(3), (text, at, length) => {
      const damaged = text.slice(0, at % (text.length + 1)) + text.slice((at % (text.length + 1)) + length);
      const read = readAcceptedArrival(damaged);
      if (!read.ok) expect(read.refusal).toMatch(/^\S.+$/);
    }),
  );
});

describe('refuses, and says why without any value,', () => {
  const change = (changes: object, kind: 'payment' | 'reversal' = 'payment') => {
    const given = newPayment({ cif: 'CIF-SECRET' });
    const written = writeAcceptedArrival(
      kind === 'payment' ? { kind, payment: given } : { kind, reversal: newReversal(given) },
    );
    const parsed = JSON.parse(written);
    return JSON.stringify({ ...parsed, [kind]: { ...parsed[kind], ...changes } });
  };
  const euros = (amountMinor: unknown) => ({ amount: { amountMinor, currency: 'EUR' } });

  test.each([
    ['no JSON', '{', 'it is not JSON'],
    ['no object', '7', 'it is not an object'],
    ['nothing', 'null', 'it is not an object'],
    ['a later version', '{"version":2,"kind":"payment"}', 'its version is unknown'],
    ['an unknown kind', '{"version":1,"kind":"gift"}', 'its kind is unknown'],
    ['a kind that every object has', '{"version":1,"kind":"constructor"}', 'its kind is unknown'],
    ['a payment without its fields', '{"version":1,"kind":"payment"}', 'not as expected: payment'],
    ['an amount as a number', change(euros(10_050)), 'not as expected: payment.amount.amountMinor'],
    ['an amount with a point', change(euros('100.50')), 'not as expected: payment.amount.amountMinor'],
    ['a negative amount', change(euros('-1')), 'not as expected: payment.amount.amountMinor'],
    [
      'an unknown currency',
      change({ amount: { amountMinor: '1', currency: 'EURO' } }),
      'not as expected: payment.amount.currency',
    ],
    [
      'a date that is none',
      change({ paymentDate: '2026-02-30T00:00:00.000Z' }),
      'not as expected: payment.paymentDate',
    ],
    [
      'several at once',
      change({ paidOn: 'yesterday', source: 'pigeon' }),
      'not as expected: payment.paidOn, payment.source',
    ],
    [
      'a reversal without a time',
      change({ occurredAt: null }, 'reversal'),
      'not as expected: reversal.occurredAt',
    ],
  ])('%s', (_, text, refusal) => {
    expect(readAcceptedArrival(text)).toEqual({ ok: false, refusal });
  });
});
