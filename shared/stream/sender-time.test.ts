import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { senderTime } from './sender-time.ts';

const berlin = (text: string) => senderTime(text, 'Europe/Berlin');

test.each([
  ['2026-01-05T10:00:00Z', '2026-01-05T10:00:00.000000000Z'],
  ['2026-01-05t10:00:00Z', undefined],
  ['2026-01-05T10:00:00+02:00', '2026-01-05T08:00:00.000000000Z'],
  ['2026-01-05T10:00:00-0530', '2026-01-05T15:30:00.000000000Z'],
  ['2026-01-05T10:00:00.1Z', '2026-01-05T10:00:00.100000000Z'],
  ['2026-01-05 10:00:00,123Z', '2026-01-05T10:00:00.123000000Z'],
  ['2026-01-05T10:00:00.123456Z', '2026-01-05T10:00:00.123456000Z'],
  ['2026-01-05T10:00:00.123456789+00:00', '2026-01-05T10:00:00.123456789Z'],
  ['2026-01-05T10:00:00.1234567891Z', undefined],
  ['2026-02-30T10:00:00Z', undefined],
  ['2026-01-05T24:01:00Z', undefined],
  ['yesterday', undefined],
  ['', undefined],
  [' 2026-01-05', undefined],
])('%j is %j', (text, expected) => {
  expect(berlin(text)).toBe(expected);
});

test.each([
  ['2026-01-05T10:00:00', '2026-01-05T09:00:00.000000000Z'],
  ['2026-07-05T10:00:00.5', '2026-07-05T08:00:00.500000000Z'],
  ['2026-07-05', '2026-07-04T22:00:00.000000000Z'],
  ['2026-03-29T02:30:00', '2026-03-29T01:30:00.000000000Z'],
  ['2026-10-25T02:30:00', '2026-10-25T00:30:00.000000000Z'],
])('without an offset %s is a time of the business zone: %s', (text, expected) => {
  expect(berlin(text)).toBe(expected);
});

test.each([
  ['1767607200', '2026-01-05T10:00:00.000000000Z'],
  ['1767607200.25', '2026-01-05T10:00:00.250000000Z'],
  ['1767607200.123456789', '2026-01-05T10:00:00.123456789Z'],
  ['1767607200123', '2026-01-05T10:00:00.123000000Z'],
  ['1767607200123.5', '2026-01-05T10:00:00.123500000Z'],
  ['999999999', '2001-09-09T01:46:39.000000000Z'],
  ['999999999999', '2001-09-09T01:46:39.999000000Z'],
  ['17676072001', undefined],
  ['-1767607200', undefined],
  ['1767607200.1234567891', undefined],
  ['1.7676072e9', undefined],
  ['1767607200123456', undefined],
  ['0', undefined],
])('the Unix time %s is %s', (text, expected) => {
  expect(berlin(text)).toBe(expected);
});

describe('comparing texts compares times', () => {
  const anyTime = fc.record({
    ms: fc.integer({ min: Date.parse('1900-01-01'), max: Date.parse('2100-01-01') }),
    nanoseconds: fc.integer({ min: 0, max: 999_999 }),
  });
  type AnyTime = { ms: number; nanoseconds: number };
  const written = ({ ms, nanoseconds }: AnyTime) =>
    `${new Date(ms).toISOString().slice(0, -1)}${String(nanoseconds).padStart(6, '0')}Z`;
  const order = (a: AnyTime, b: AnyTime) => Math.sign(a.ms - b.ms || a.nanoseconds - b.nanoseconds);

  test('down to the nanosecond', () => {
    fc.assert(
      fc.property(anyTime, anyTime, (a, b) => {
        const [x = '', y = ''] = [berlin(written(a)), berlin(written(b))];
        expect(x < y ? -1 : x > y ? 1 : 0).toBe(order(a, b));
      }),
    );
  });

  test('whatever digits and whatever offset they are written with', () => {
    fc.assert(
      fc.property(anyTime, fc.integer({ min: -14 * 60, max: 14 * 60 }), ({ ms }, offset) => {
        const local = new Date(ms + offset * 60_000).toISOString().slice(0, -1);
        const minutes = Math.abs(offset);
        const pad = (n: number) => String(n).padStart(2, '0');
        const suffix = `${offset < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
        expect(berlin(`${local}${suffix}`)).toBe(berlin(new Date(ms).toISOString()));
      }),
    );
  });
});
