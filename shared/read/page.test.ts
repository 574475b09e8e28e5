import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeKey, encodeKey, pageKeys } from './page.ts';

const names = pageKeys('customers by name', 'text', 'text');
const days = pageKeys('accounts by days', 'integer', 'text');

describe('where a page ended', () => {
  test('any texts come back as they were', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 50 }).filter((text) => !text.includes('\0')),
        fc.stringMatching(/^[A-Z0-9|,"]{0,20}$/),
        (name, id) => {
          const key = names.encode([name, id]);
          expect(key).toMatch(/^[A-Za-z0-9_-]+$/);
          expect(names.decode(key)).toEqual([name, id]);
        },
      ),
    );
  });

  test('a key of another list is refused', () => {
    expect(days.decode(days.encode(['12', 'A1']))).toEqual(['12', 'A1']);
    expect(names.decode(days.encode(['12', 'A1']))).toBeUndefined();
    expect(
      pageKeys('accounts by opening', 'integer', 'text').decode(days.encode(['12', 'A1'])),
    ).toBeUndefined();
  });

  test('a key of which any character was changed, added or taken away is refused', () => {
    const key = days.encode(['12', 'A1']);
    for (let n = 0; n < key.length; n++) {
      expect(days.decode(key.slice(0, n) + key.slice(n + 1))).toBeUndefined();
      expect(
        days.decode(`${key.slice(0, n)}${key[n] === 'A' ? 'B' : 'A'}${key.slice(n + 1)}`),
      ).toBeUndefined();
    }
    expect(days.decode(`${key}A`)).toBeUndefined();
    for (const text of ['', 'x', 'bnVsbA', btoa('{}'), btoa('["accounts by days"]'), '💥'])
      expect(days.decode(text)).toBeUndefined();
  });

  test.each([
    ['integer', ['12; drop table', '1e3', '12345678901', '']],
    ['decimal', ['NaN', 'Infinity', '1.23456', '0x1', '']],
    ['instant', ['2026-02-30T00:00:00.000000Z', '2026-01-01', "now'", 'infinity', '']],
    ['uuid', ['A1', '------------------------------------']],
    ['text', ['a\0b', 'x'.repeat(1_001), '\ud800']],
  ] as const)('a part that is no %s is refused', (part, wrong) => {
    const keys = pageKeys('any', part);
    for (const value of wrong) expect(keys.decode(keys.encode([value]))).toBeUndefined();
  });

  test.each([
    ['integer', '-1'],
    ['decimal', '-12.5000'],
    ['decimal', '-Infinity'],
    ['instant', '2026-01-01T00:00:00.123456Z'],
    ['instant', '-infinity'],
  ] as const)('%s: %s is a part', (part, value) => {
    const keys = pageKeys('any', part);
    expect(keys.decode(keys.encode([value]))).toEqual([value]);
  });

  test('a list of the newest goes on after an instant and a uuid', () => {
    const key = { at: '2026-01-01T00:00:00.123456Z', id: '00000000-0000-4000-8000-000000000000' };
    expect(decodeKey(encodeKey(key))).toEqual(key);
    expect(decodeKey(encodeKey({ ...key, id: 'A1' }))).toBeUndefined();
    expect(decodeKey(encodeKey({ ...key, at: '-infinity' }))).toBeUndefined();
    expect(decodeKey(btoa(`${key.at}|${key.id}`))).toBeUndefined();
  });
});
