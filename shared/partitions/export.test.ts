import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tally } from './export.ts';

test('amounts add up exactly, by currency', () => {
  const totals = tally();
  for (const amount of ['0.1000', '0.2000', '9999999999999.9999']) totals.add(amount, 'EUR', '-5');
  totals.add('0.0001', 'CLF', '9223372036854775807');
  expect(totals.rows).toBe(4);
  expect(totals.sums).toEqual({ CLF: '0.0001', EUR: '10000000000000.2999' });
  expect(totals.digest).toBe('9223372036854775792');
});

test('the order of the rows changes nothing', () => {
  const row = fc.tuple(
    fc.bigInt(1n, 10n ** 17n),
    fc.constantFrom('EUR', 'JPY'),
    fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
  );
  const total = (rows: Array<[bigint, string, bigint]>) => {
    const totals = tally();
    for (const [amount, currency, hash] of rows) {
      const digits = String(amount).padStart(5, '0');
      totals.add(`${digits.slice(0, -4)}.${digits.slice(-4)}`, currency, String(hash));
    }
    return [totals.rows, totals.sums, totals.digest];
  };
  fc.assert(
    fc.property(fc.array(row), (rows) => {
      expect(total(rows)).toEqual(total(rows.toReversed()));
    }),
  );
});

test('what is not an amount with four decimals is a bug', () => {
  for (const amount of ['1', '1.00', 'NaN', '1e5', '1.00000']) {
    expect(() => tally().add(amount, 'EUR')).toThrow(RangeError);
  }
});
