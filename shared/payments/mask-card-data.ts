// Card numbers never get in. A card number (13 to 19 digits, groups by spaces or hyphens allowed, the length and first
// digits of a brand, Luhn-valid) in a text or as a number becomes `[card 1234]`, its last four digits; a verification code,
// a card number or a track by its field's name is masked whatever it is. Fields named as identifiers are left alone:
// one number in ten passes Luhn. Masking twice changes nothing more.

import { isNumberSource, type NumberSource } from '../exact-json.ts';

/** First digits from, to, and the lengths under which a brand issues them (ISO/IEC 7812 and the brands' own rules). */
const brands: ReadonlyArray<readonly [from: string, to: string, lengths: readonly number[]]> = [
  ['4', '4', [13, 16, 18, 19]], // Visa
  ['51', '55', [16]], // Mastercard
  ['2221', '2720', [16]],
  ['34', '34', [15]], // American Express
  ['37', '37', [15]],
  ['300', '305', [14, 16, 17, 18, 19]], // Diners Club
  ['3095', '3095', [14, 16, 17, 18, 19]],
  ['36', '36', [14, 15, 16, 17, 18, 19]],
  ['38', '39', [14, 16, 17, 18, 19]],
  ['3528', '3589', [16, 17, 18, 19]], // JCB
  ['2200', '2204', [16, 17, 18, 19]], // Mir
  ['50', '50', [13, 14, 15, 16, 17, 18, 19]], // Maestro, Verve, Elo
  ['56', '69', [13, 14, 15, 16, 17, 18, 19]], // Maestro, Discover, UnionPay, RuPay
  ['81', '82', [16, 17, 18, 19]], // UnionPay, RuPay
  ['9792', '9792', [16]], // Troy
];

const isOfBrand = (digits: string) =>
  brands.some(
    ([from, to, lengths]) =>
      lengths.includes(digits.length) &&
      digits.slice(0, from.length) >= from &&
      digits.slice(0, to.length) <= to,
  );

function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    sum += i % 2 === 0 ? digit : digit * 2 - (digit > 4 ? 9 : 0);
  }
  return sum % 10 === 0;
}

const isCardNumber = (digits: string) => isOfBrand(digits) && passesLuhn(digits);

const separator = '[ \\u00a0\\u202f\\u2010-\\u2015\\u2212-]';
/** Groups of digits with at most two separators between them, and as many digits as a card has, at least. */
const grouped = new RegExp(`\\d(?:${separator}{0,2}\\d){12,}`, 'g');

/** In brackets, so that digits around it never join those that are left. */
const masked = (digits: string) => `[card ${digits.slice(-4)}]`;

/** The text with its card numbers masked. A longer run of digits is no card number, whatever a part of it looks like. */
export const maskCardText = (text: string): string => text.replace(grouped, maskGroups);

function maskGroups(run: string): string {
  const groups = [...run.matchAll(/\d+/g)].map(({ 0: digits, index }) => ({ digits, index }));
  let result = '';
  let done = 0;
  for (let first = 0; first < groups.length; first++) {
    let digits = '';
    let card: { digits: string; last: number } | undefined;
    // The longest wins: nineteen digits of one card rather than sixteen of them.
    for (let last = first; last < groups.length && digits.length < 19; last++) {
      digits += groups[last]!.digits;
      if (isCardNumber(digits)) card = { digits, last };
    }
    if (!card) continue;
    const end = groups[card.last]!;
    result += run.slice(done, groups[first]!.index) + masked(card.digits);
    done = end.index + end.digits.length;
    first = card.last;
  }
  return result + run.slice(done);
}

/** The digits of the whole part of a JSON number as it was written: 4.2e1 has 42. */
function wholeDigits(source: string): string {
  const [mantissa = '', power = '0'] = source.replace(/^-/, '').toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const exponent = Number(power);
  if (Math.abs(exponent) > 40) return '';
  const digits =
    exponent < 0
      ? whole.slice(0, Math.max(0, whole.length + exponent))
      : whole + fraction.slice(0, exponent).padEnd(exponent, '0');
  return digits.replace(/^0+/, '');
}

/** Names are compared without case, underscores, hyphens, dots and spaces. */
const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '');
const secretName =
  /cvv2?$|cvc2?$|(?:^|card)(?:cvn2?|csc|cav2?|securitycode|verification(?:code|value|number))$|^(?:track[12]?(?:data)?|pinblock)$/;
const cardNumberName =
  /^(?:(?:credit|debit|payment)?card(?:number|no|num|pan)|ccnumber|ccnum|pan|primaryaccountnumber)$/;

/** Names of fields that are identifiers wherever they stand. */
export const identifiers: ReadonlySet<string> = new Set(['reference_number', 'loan_account_number', 'cif']);

/**
 * A parsed JSON value with card data masked, in keys too; numbers are NumberSource, as parseExactJson leaves them.
 * What stands directly under a name of `kept` is an identifier.
 */
export function maskCardData<T>(value: T, kept: ReadonlySet<string> = identifiers): T {
  return maskValue(value, kept) as T;
}

function maskValue(value: unknown, kept: ReadonlySet<string>): unknown {
  if (typeof value === 'string') return maskCardText(value);
  if (isNumberSource(value)) return maskNumber(value);
  if (Array.isArray(value)) return value.map((item) => maskValue(item, kept));
  if (typeof value !== 'object' || value === null) return value;
  // Not assigned one by one: a key may be __proto__.
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [maskCardText(key), maskField(key, item as unknown, kept)]),
  );
}

function maskField(key: string, value: unknown, kept: ReadonlySet<string>): unknown {
  const isScalar = typeof value === 'string' || isNumberSource(value);
  if (isScalar && kept.has(key)) return value;
  const text = isNumberSource(value) ? value.rawJSON : value;
  if (typeof text === 'string' && text !== '') {
    const name = plain(key);
    if (secretName.test(name)) return '***';
    if (cardNumberName.test(name)) {
      const digits = text.replace(/\D/g, '');
      if (digits.length >= 12) return masked(digits);
    }
  }
  return maskValue(value, kept);
}

function maskNumber(value: NumberSource): NumberSource | string {
  const digits = wholeDigits(value.rawJSON);
  return isCardNumber(digits) ? masked(digits) : value;
}
