import { expect, test } from 'vitest';
import { exportName, mayGo, monthOf, monthsLater } from './month.ts';

test('a month is the UTC month, to the last microsecond', () => {
  expect(monthOf(new Date('2025-01-31T23:59:59.999Z'))).toBe('2025-01-01');
  expect(monthOf(new Date('2025-02-01T00:30:00+01:00'))).toBe('2025-01-01');
});

test('months are counted across years', () => {
  expect(monthsLater('2025-11-01', 3)).toBe('2026-02-01');
  expect(monthsLater('2026-02-01', -14)).toBe('2024-12-01');
});

test('a month may go once it ended as many months ago as are kept', () => {
  const kept = 12;
  expect(mayGo('2025-10-01', new Date('2026-10-31T23:59:59Z'), kept)).toBe(false);
  expect(mayGo('2025-10-01', new Date('2026-11-01T00:00:00Z'), kept)).toBe(true);
  expect(mayGo('2025-11-01', new Date('2026-11-30T23:59:59Z'), kept)).toBe(false);
});

test('the second export of a month has another name than the first', () => {
  expect([1, 2].map((nth) => exportName('2025-01-01', nth))).toEqual([
    'payments_2025_01',
    'payments_2025_01_2',
  ]);
});
