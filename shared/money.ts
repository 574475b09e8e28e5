// Money is a whole number of a currency's minor units. Text becomes money exactly or not at all: one decimal more
// than the currency has is a refusal, nothing is ever rounded and nothing passes through a double.

import { ok, type Result, refused } from './result.ts';

export interface Money {
  amountMinor: bigint;
  /** ISO 4217, upper case. */
  currency: string;
}

export type AmountFault = 'not_a_number' | 'not_positive' | 'too_large' | 'too_many_decimals';

// ISO 4217, active codes by number of minor-unit digits. SQL has the same list in currency_exponent().
const byExponent: Record<number, string> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  2:
    'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW ' +
    'CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF ' +
    'IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK ' +
    'MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP ' +
    'SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG ' +
    'YER ZAR ZMW ZWG',
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
};
const exponents = new Map(
  Object.entries(byExponent).flatMap(([exponent, codes]) =>
    codes.split(' ').map((code) => [code, +exponent] as const),
  ),
);

export const currencies: ReadonlyArray<string> = [...exponents.keys()];

/** Digits after the point of `currency`, or undefined when ISO 4217 has no such active code. */
export const currencyExponent = (currency: string): number | undefined => exponents.get(currency);

/** Amounts stay below this many major units (seed 003's DECIMAL(15,2) has thirteen digits before the point). */
const integerDigitsLimit = 13;
const textLimit = 64;

/**
 * Reads a decimal string or the source text of a JSON number ("100.50", "1e2"), in major units of a known currency.
 * Every digit written after the point counts, trailing zeros too: "1.000" has too many decimals for EUR.
 */
export function parseAmount(text: string, currency: string): Result<Money, AmountFault> {
  const written = readDecimal(text, currency);
  if (!written) return refused('not_a_number');
  return written.isNegative || written.digits === 0n ? refused('not_positive') : moneyOf(written, currency);
}

/** Reads what a balance is written as: like parseAmount, but it may be zero or negative. Never answers `not_positive`. */
export function parseBalance(text: string, currency: string): Result<Money, AmountFault> {
  const written = readDecimal(text, currency);
  if (!written) return refused('not_a_number');
  const money = moneyOf(written, currency);
  return money.ok && written.isNegative ? ok({ currency, amountMinor: -money.value.amountMinor }) : money;
}

interface Decimal {
  isNegative: boolean;
  digits: bigint;
  /** Digits after the point; negative for tens, hundreds ... */
  decimals: number;
}

function readDecimal(text: string, currency: string): Decimal | undefined {
  if (!exponents.has(currency)) throw new Error('an amount needs a known currency');
  const match = text.length <= textLimit ? /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text) : null;
  if (!match) return undefined;
  const [, sign, whole = '', fraction = '', power = '0'] = match;
  return {
    isNegative: sign === '-',
    digits: BigInt(whole + fraction),
    decimals: fraction.length - Number(power),
  };
}

/** Regardless of the sign. */
function moneyOf({ digits, decimals }: Decimal, currency: string): Result<Money, AmountFault> {
  const exponent = exponents.get(currency) ?? 0;
  if (decimals > exponent) return refused('too_many_decimals');
  const amountMinor = digits * 10n ** BigInt(exponent - decimals);
  if (amountMinor >= 10n ** BigInt(integerDigitsLimit + exponent)) return refused('too_large');
  return ok({ amountMinor, currency });
}

/** Decimal text in major units with exactly the currency's decimals: "100.50", "100" for JPY. */
export function formatAmount({ amountMinor, currency }: Money): string {
  const exponent = exponents.get(currency) ?? 0;
  const digits = (amountMinor < 0n ? -amountMinor : amountMinor).toString().padStart(exponent + 1, '0');
  const point = digits.length - exponent;
  const text = exponent === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
  return amountMinor < 0n ? `-${text}` : text;
}

/**
 * Reads what providers write: a whole number of 10^-exponent units of a known currency. Their exponent is not always
 * ISO 4217's: digits that the currency does not have must be zeros, else it has too many decimals.
 */
export function parseMinorAmount(
  text: string,
  currency: string,
  exponent = exponents.get(currency),
): Result<Money, AmountFault> {
  const digits = exponents.get(currency);
  if (digits === undefined || exponent === undefined)
    throw new Error('parseMinorAmount needs a known currency');
  if (!/^-?\d{1,32}$/.test(text)) return refused('not_a_number');
  const units = BigInt(text);
  if (units <= 0n) return refused('not_positive');
  const surplus = 10n ** BigInt(Math.max(0, exponent - digits));
  if (units % surplus !== 0n) return refused('too_many_decimals');
  const amountMinor = (units / surplus) * 10n ** BigInt(Math.max(0, digits - exponent));
  if (amountMinor >= 10n ** BigInt(integerDigitsLimit + digits)) return refused('too_large');
  return ok({ amountMinor, currency });
}
