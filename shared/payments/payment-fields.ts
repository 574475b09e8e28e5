// What the fields of a payment must be like, whichever way it comes in.

import { type AmountFault, currencyExponent } from '../money.ts';

export interface FieldFault {
  field: string;
  code: string;
  message: string;
}

/** Settings of the deployment that complete what a payment leaves open. */
export interface Business {
  /** IANA zone of times without offset and of calendar dates. */
  timeZone: string;
  /** Of amounts without one. */
  currency: string;
}

/** The most characters of each identifier; the tables have the same limits. */
export const identifierLimits = {
  reference_number: 255,
  loan_account_number: 20,
  cif: 20,
  payment_channel: 100,
} as const;

export const identifierMessage = (limit: number): string => `expected a text of 1 to ${limit} characters`;

/** What is wrong with an identifier, or undefined. */
export function identifierFault(text: string, limit: number): string | undefined {
  if (text.length < 1 || text.length > limit) return identifierMessage(limit);
  // Nearly all are plain: one look tells.
  if (/^[!-~]+$/.test(text)) return undefined;
  if (text !== text.trim()) return 'must not begin or end with white space';
  return /\p{Cc}/u.test(text) ? 'must not hold control characters' : undefined;
}

export const currencyMessage = 'expected an ISO 4217 code';
export const isCurrency = (code: unknown): code is string =>
  typeof code === 'string' && currencyExponent(code) !== undefined;

export const amountMessages: Record<AmountFault, string> = {
  not_a_number: 'expected a number or a decimal text',
  not_positive: 'must be more than zero',
  too_large: 'must be below 10000000000000',
  too_many_decimals: 'has more decimals than its currency',
};
