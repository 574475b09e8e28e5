import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  currencies,
  currencyExponent,
  formatAmount,
  parseAmount,
  parseBalance,
  parseMinorAmount,
} from './money.ts';

const exponentOf = (currency: string) => currencyExponent(currency) as number;
const anyCurrency = fc.constantFrom(...currencies);
const limit = 10n ** 13n;
/** An amount of any currency, up to the largest. */
const anyMoney = anyCurrency.chain((currency) =>
  fc.record({
    currency: fc.constant(currency),
    amountMinor: fc.bigInt({ min: 1n, max: limit * 10n ** BigInt(exponentOf(currency)) - 1n }),
  }),
);
/** The point of a decimal text moved by `places`, every digit kept: what an exponent means. */
const movePoint = (text: string, places: number) => {
  const [whole = '', fraction = ''] = text.split('.');
  const digits = `${'0'.repeat(9)}${whole}${fraction}${'0'.repeat(Math.max(0, places - fraction.length))}`;
  const at = 9 + whole.length + places;
  return at < digits.length ? `${digits.slice(0, at)}.${digits.slice(at)}` : digits;
};

const accepts = (text: string, currency: string, amountMinor: bigint): void => {
  expect(parseAmount(text, currency)).toEqual({ ok: true, value: { amountMinor, currency } });
};
const refuses = (text: string, currency: string, refusal: string): void => {
  expect(parseAmount(text, currency)).toEqual({ ok: false, refusal });
};

test('money written as text and read again is the same money, in every currency', () => {
  fc.assert(
    fc.property(anyMoney, (money) => accepts(formatAmount(money), money.currency, money.amountMinor)),
  );
  for (const currency of currencies) {
    const smallest = { amountMinor: 1n, currency };
    const largest = { amountMinor: limit * 10n ** BigInt(exponentOf(currency)) - 1n, currency };
    for (const money of [smallest, largest]) accepts(formatAmount(money), currency, money.amountMinor);
  }
});

test('an amount in plain digits is read as a human reads it', () => {
  const digits = (length: number) =>
    fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: length, maxLength: length });
  const written = anyCurrency.chain((currency) =>
    fc.tuple(fc.constant(currency), fc.bigInt({ min: 1n, max: limit - 1n }), digits(exponentOf(currency))),
  );
  fc.assert(
    fc.property(written, ([currency, whole, fraction]) => {
      accepts(fraction ? `${whole}.${fraction}` : `${whole}`, currency, BigInt(`${whole}${fraction}`));
    }),
  );
});

test('one digit more than the currency has is refused, even when it is a zero', () => {
  fc.assert(
    fc.property(anyMoney, fc.stringMatching(/^\d{1,20}$/), ({ amountMinor, currency }, more) => {
      const text = formatAmount({ amountMinor, currency });
      refuses(`${text}${exponentOf(currency) === 0 ? '.' : ''}${more}`, currency, 'too_many_decimals');
    }),
  );
});

test('an exponent moves the point and changes nothing else', () => {
  const decimal = fc.stringMatching(/^\d{1,12}(\.\d{1,12})?$/);
  const exponent = fc.stringMatching(/^[eE][+-]?0?[0-8]$/);
  fc.assert(
    fc.property(decimal, exponent, anyCurrency, (text, power, currency) => {
      const plain = movePoint(text, Number(power.slice(1)));
      expect(parseAmount(text + power, currency)).toEqual(parseAmount(plain, currency));
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['10.000000000000000001', 'EUR', 'too_many_decimals'],
  ['0.1e-1', 'JPY', 'too_many_decimals'],
  ['1.005', 'EUR', 'too_many_decimals'],
  ['1.00050', 'CLF', 'too_many_decimals'],
  ['1e-999', 'EUR', 'too_many_decimals'],
  ['10000000000000', 'EUR', 'too_large'],
  ['10000000000000', 'JPY', 'too_large'],
  ['1e999', 'EUR', 'too_large'],
  ['9'.repeat(64), 'KWD', 'too_large'],
  ['0', 'EUR', 'not_positive'],
  ['0.000', 'EUR', 'not_positive'],
  ['-0', 'EUR', 'not_positive'],
  ['-100.50', 'EUR', 'not_positive'],
  ['0e-5', 'EUR', 'not_positive'],
])('the amount %s %s is refused: %s', refuses);

test.each([
  '',
  ' ',
  ' 1',
  '1 ',
  '1\n',
  '+1',
  '.5',
  '5.',
  '1,50',
  '1_000',
  '1 000',
  '0x10',
  '1e',
  '1e1.5',
  '--1',
  'NaN',
  'Infinity',
  '١',
  '1e1000',
  '1'.repeat(65),
])('the text %j is not a number', (text) => refuses(text, 'EUR', 'not_a_number'));

test.each([
  ['9007199254740.93', 'EUR', 900_719_925_474_093n],
  ['9007199254740.993', 'KWD', 9_007_199_254_740_993n],
  ['9999999999999.9999', 'CLF', 99_999_999_999_999_999n],
  ['9007199254741', 'JPY', 9_007_199_254_741n],
  ['0.07', 'EUR', 7n],
  ['1e2', 'EUR', 10_000n],
  ['1E+2', 'EUR', 10_000n],
  ['10050e-2', 'EUR', 10_050n],
  ['007', 'JPY', 7n],
])('no double stands between %s %s and its minor units', accepts);

test('reading an amount of an unknown currency is a bug, not a refusal', () => {
  expect(() => parseAmount('1', 'eur')).toThrow('known currency');
});

describe('written amounts', () => {
  test.each([
    [10_050n, 'EUR', '100.50'],
    [100n, 'JPY', '100'],
    [1_234n, 'KWD', '1.234'],
    [1n, 'CLF', '0.0001'],
    [0n, 'EUR', '0.00'],
    [-5n, 'EUR', '-0.05'],
    [-5n, 'JPY', '-5'],
  ])('%s minor units of %s are %s', (amountMinor, currency, text) => {
    expect(formatAmount({ amountMinor, currency })).toBe(text);
  });
});

test('a currency is an active code of ISO 4217, in upper case', () => {
  expect(new Set(currencies).size).toBe(currencies.length);
  expect(currencies.every((code) => /^[A-Z]{3}$/.test(code))).toBe(true);
  expect(['EUR', 'JPY', 'KWD', 'CLF', 'HUF', 'ISK'].map(currencyExponent)).toEqual([2, 0, 3, 4, 2, 0]);
  expect(['eur', 'DEM', 'BTC', 'XXX', '', 'toString'].map(currencyExponent)).toEqual(
    Array(6).fill(undefined),
  );
});

describe('minor units as providers write them', () => {
  test('are the same money whatever exponent they are written with, or have digits that the currency has not', () => {
    fc.assert(
      fc.property(anyMoney, fc.integer({ min: 0, max: 4 }), ({ amountMinor, currency }, exponent) => {
        const own = exponentOf(currency);
        const written = exponent >= own ? amountMinor * 10n ** BigInt(exponent - own) : amountMinor;
        const expected = exponent >= own ? amountMinor : amountMinor * 10n ** BigInt(own - exponent);
        const parsed = parseMinorAmount(String(written), currency, exponent);
        if (expected >= limit * 10n ** BigInt(own))
          expect(parsed).toEqual({ ok: false, refusal: 'too_large' });
        else expect(parsed).toEqual({ ok: true, value: { amountMinor: expected, currency } });
      }),
    );
  });

  test('have ISO 4217’s decimals unless told otherwise', () => {
    fc.assert(
      fc.property(anyMoney, (money) => {
        expect(parseMinorAmount(String(money.amountMinor), money.currency)).toEqual({
          ok: true,
          value: money,
        });
      }),
    );
  });

  test.each([
    ['550', 'ISK', 2, 'too_many_decimals'],
    ['0', 'EUR', 2, 'not_positive'],
    ['-1', 'EUR', 2, 'not_positive'],
    ['1.0', 'EUR', 2, 'not_a_number'],
    ['1e2', 'EUR', 2, 'not_a_number'],
    ['', 'EUR', 2, 'not_a_number'],
    ['1'.repeat(33), 'EUR', 2, 'not_a_number'],
    ['1'.repeat(16), 'EUR', 2, 'too_large'],
  ])('%s %s with %d decimals is refused: %s', (text, currency, exponent, refusal) => {
    expect(parseMinorAmount(text, currency, exponent)).toEqual({ ok: false, refusal });
  });
});

describe('balances', () => {
  test('above zero are amounts, and below zero the same with a minus', () => {
    const text = fc.oneof(
      anyMoney.map(formatAmount),
      fc.stringMatching(/^\d{1,15}(\.\d{1,5})?([eE][+-]?\d)?$/),
      fc.string(),
    );
    fc.assert(
      fc.property(text, anyCurrency, (written, currency) => {
        const amount = parseAmount(written, currency);
        fc.pre(amount.ok || amount.refusal !== 'not_positive');
        expect(parseBalance(written, currency)).toEqual(amount);
        expect(parseBalance(`-${written}`, currency)).toEqual(
          amount.ok ? { ok: true, value: { currency, amountMinor: -amount.value.amountMinor } } : amount,
        );
      }),
      { numRuns: 500 },
    );
  });

  test('of zero have the currency’s decimals, like any other', () => {
    const zeros = fc.stringMatching(/^0{1,5}(\.0{1,6})?([eE][+-]?[0-8])?$/);
    fc.assert(
      fc.property(zeros, anyCurrency, (text, currency) => {
        const one = parseAmount(`1${text}`, currency);
        const expected = one.ok ? { ok: true, value: { amountMinor: 0n, currency } } : one;
        fc.pre(one.ok || one.refusal !== 'too_large');
        expect(parseBalance(text, currency)).toEqual(expected);
        expect(parseBalance(`-${text}`, currency)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ['-0.01', 'EUR', -1n],
    ['0', 'JPY', 0n],
    ['-0.00', 'EUR', 0n],
    ['-1e2', 'EUR', -10_000n],
  ])('%j %s are %s minor units', (text, currency, amountMinor) => {
    expect(parseBalance(text, currency)).toEqual({ ok: true, value: { amountMinor, currency } });
  });

  test.each([
    ['0.000', 'too_many_decimals'],
    ['-1.005', 'too_many_decimals'],
    ['-10000000000000', 'too_large'],
    ['--1', 'not_a_number'],
    ['--0', 'not_a_number'],
    ['-', 'not_a_number'],
    ['- 1', 'not_a_number'],
    ['', 'not_a_number'],
  ])('%j EUR are refused: %s', (text, refusal) => {
    expect(parseBalance(text, 'EUR')).toEqual({ ok: false, refusal });
  });
});
