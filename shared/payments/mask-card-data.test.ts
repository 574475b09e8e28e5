import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseExactJson } from '../exact-json.ts';
import { maskCardData, maskCardText } from './mask-card-data.ts';

/** With a last digit that makes it pass Luhn, computed the other way round than the code under test does. */
function withCheckDigit(start: string): string {
  const doubled = [...start]
    .reverse()
    .map((digit, i) => (i % 2 === 0 ? [...String(Number(digit) * 2)] : [digit]));
  const sum = doubled.flat().reduce((total, digit) => total + Number(digit), 0);
  return start + String((10 - (sum % 10)) % 10);
}
const digits = (length: number) =>
  fc
    .array(fc.constantFrom(...'0123456789'), { minLength: length, maxLength: length })
    .map((list) => list.join(''));

/** Card numbers as brands issue them: first digits, length. */
const issued = fc
  .constantFrom<[string, number]>(
    ['4', 16],
    ['4', 13],
    ['4', 19],
    ['51', 16],
    ['2221', 16],
    ['2720', 16],
    ['34', 15],
    ['37', 15],
    ['36', 14],
    ['6011', 16],
    ['62', 19],
    ['3528', 16],
    ['3589', 16],
    ['50', 17],
    ['2204', 16],
    ['9792', 16],
  )
  .chain(([first, length]) => digits(length - first.length - 1).map((rest) => withCheckDigit(first + rest)));
/** Written as people and forms write them. */
const written = fc
  .tuple(issued, fc.constantFrom('', ' ', '-', ' - ', '\u00a0', '\u2011'))
  .filter(([, separator]) => separator.length < 3)
  .map(([number, separator]) => (number.match(/.{1,4}/g) ?? []).join(separator));
const wordy = fc.string({ unit: fc.constantFrom(...'abc XYZ.,:;\n€ß('), maxLength: 20 });
const parts = (text: string) => text.replace(/\D/g, '');

describe('in a text', () => {
  test('a card number of any brand is masked, wherever it stands and however it is grouped', () => {
    fc.assert(
      fc.property(wordy, written, wordy, (before, number, after) => {
        expect(maskCardText(`${before}x${number}x${after}`)).toBe(
          `${before}x[card ${parts(number).slice(-4)}]x${after}`,
        );
      }),
      { numRuns: 300 },
    );
  });

  test('several are masked each, and what else has digits beside one stays', () => {
    fc.assert(
      fc.property(written, written, (one, other) => {
        expect(maskCardText(`${one}, ${other}`)).toBe(
          `[card ${parts(one).slice(-4)}], [card ${parts(other).slice(-4)}]`,
        );
      }),
    );
    expect(maskCardText('4111 1111 1111 1111 12/29 123')).toBe('[card 1111] 12/29 123');
    expect(maskCardText('on 01 4111-1111-1111-1111')).toBe('on 01 [card 1111]');
    expect(maskCardText('4111111111111111 5500000000000004')).toBe('[card 1111] [card 0004]');
  });

  test('what fails Luhn, is of no brand, or is part of a longer number is left as it is', () => {
    fc.assert(
      fc.property(issued, fc.integer({ min: 1, max: 9 }), (number, by) => {
        const wrong = number.slice(0, -1) + String((Number(number.slice(-1)) + by) % 10);
        expect(maskCardText(wrong)).toBe(wrong);
      }),
    );
    fc.assert(
      fc.property(digits(14), (rest) => {
        const ofNobody = withCheckDigit(`0${rest}`);
        expect(maskCardText(ofNobody)).toBe(ofNobody);
      }),
    );
    fc.assert(
      fc.property(issued, digits(20), (number, more) => {
        expect(maskCardText(number + more)).toBe(number + more);
        expect(maskCardText(more + number)).toBe(more + number);
      }),
    );
  });

  test('dates, amounts, phone numbers and IBANs are left as they are', () => {
    for (const text of [
      '2026-11-23 10:15:30',
      '+49 30 901820 0',
      'DE89 3704 0044 0532 0130 00',
      '1,234,567.89',
      '460cbe92-2dcc-8eae-5ad6-b37d0ec90fd9',
    ]) {
      expect(maskCardText(text)).toBe(text);
    }
  });

  test('masking twice changes nothing more', () => {
    const anything = fc.string({ unit: fc.constantFrom(...'0123456789 -4a'), maxLength: 60 });
    fc.assert(
      fc.property(
        fc.oneof(
          anything,
          fc.array(written).map((list) => list.join(' ')),
        ),
        (text) => {
          const once = maskCardText(text);
          expect(maskCardText(once)).toBe(once);
        },
      ),
      { numRuns: 500 },
    );
  });
});

const masked = (json: string, kept?: ReadonlySet<string>) =>
  JSON.stringify(maskCardData(parseExactJson(json), kept));

describe('in JSON', () => {
  test('a number is masked like a text, however it is spelled', () => {
    for (const source of [
      '4111111111111111',
      '4.111111111111111e15',
      '41111111111111110e-1',
      '4111111111111111.00',
      '-4111111111111111',
    ]) {
      expect(masked(`{"n":${source}}`), source).toBe('{"n":"[card 1111]"}');
    }
  });

  test('at any depth, in lists and in keys', () => {
    fc.assert(
      fc.property(issued, fc.integer({ min: 0, max: 30 }), (number, depth) => {
        const json = `${'[{"a":'.repeat(depth)}["${number}",${number},{"${number}":true}]${'}]'.repeat(depth)}`;
        expect(masked(json)).not.toContain(number);
      }),
    );
  });

  test('everything else keeps its digits and its order', () => {
    const json = '{"b":1.500,"a":{"x":[0.10,"t",null,true]},"__proto__":{"z":10000000000000001}}';
    expect(masked(json)).toBe(json);
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false, maxDepth: 4 }), (source) => {
        fc.pre(!/\d{10}/.test(source) && !/cvv|cvc|csc/i.test(source) && !source.includes('\\u0000'));
        let parsed: unknown;
        try {
          parsed = parseExactJson(source);
        } catch {
          fc.pre(false);
        }
        expect(JSON.stringify(maskCardData(parsed))).toBe(JSON.stringify(parsed));
      }),
    );
  });

  test.each([
    'cvv',
    'CVC',
    'cvv2',
    'card_cvc',
    'cardCvv',
    'security-code',
    'Card Security Code',
    'card_verification_value',
    'cvn',
    'track2',
    'pin_block',
  ])('a verification code named %s is masked, as text and as number', (name) => {
    expect(masked(JSON.stringify({ [name]: '123', nested: { [name]: 1234 } }))).toBe(
      JSON.stringify({ [name]: '***', nested: { [name]: '***' } }),
    );
  });

  test.each([
    'card_number',
    'cardNumber',
    'Card-No',
    'pan',
    'primary_account_number',
    'creditCardNumber',
    'cc_number',
  ])('a card number named %s is masked, also when it fails Luhn', (name) => {
    expect(masked(JSON.stringify({ [name]: '4111 1111 1111 1112' }))).toBe(
      JSON.stringify({ [name]: '[card 1112]' }),
    );
    expect(masked(JSON.stringify({ [name]: 'ABCDE1234F' }))).toBe(JSON.stringify({ [name]: 'ABCDE1234F' }));
  });

  test.each(['discover', 'received', 'account_number', 'cardholder', 'card_type', 'company', 'span'])(
    '%s names no card data',
    (name) => {
      expect(masked(JSON.stringify({ [name]: '123' }))).toBe(JSON.stringify({ [name]: '123' }));
    },
  );

  test('an identifier is never masked, by its own name only', () => {
    fc.assert(
      fc.property(issued, (number) => {
        const identified = JSON.stringify({
          reference_number: number,
          loan_account_number: number,
          cif: number,
        });
        expect(masked(identified)).toBe(identified);
        expect(masked(`{"id":"${number}","n":{"id":${number}}}`, new Set(['id']))).toBe(
          `{"id":"${number}","n":{"id":${number}}}`,
        );
        expect(masked(`{"id":["${number}"]}`, new Set(['id']))).not.toContain(number);
        expect(masked(`{"id":"${number}"}`)).not.toContain(number);
      }),
    );
  });
});
