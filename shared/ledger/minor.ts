// Amounts as the ledger's tables have them (numeric(19,4), major units), and as its code counts them (minor units).

import { currencyExponent, formatAmount } from '../money.ts';

const decimals = 4;

/** Of a known currency. Digits that the currency does not have are zeros in the tables. */
export function toMinor(text: string, currency: string): bigint {
  const [whole = '', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(decimals, '0').slice(0, currencyExponent(currency)));
}

export const toDecimal = (amountMinor: bigint, currency: string): string =>
  formatAmount({ amountMinor, currency });

/** Math.min takes no bigint. */
export function least(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}
