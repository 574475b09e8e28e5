import { expect, test } from 'vitest';
import { monthsAhead } from './storage.ts';

const partitions = (...months: string[]) => months.map((month) => ({ name: `payments_${month}` }));
const november = new Date('2026-11-30T23:59:59.999Z');

test.each([
  ['the default alone', ['default'], 0],
  ['this month', ['2026_11', 'default'], 0],
  ['the next one', ['2026_11', '2026_12'], 1],
  ['across the year', ['2026_11', '2026_12', '2027_01', '2027_02'], 3],
  ['months behind a gap', ['2026_12', '2027_02', '2027_03'], 1],
  ['the past', ['2025_12', '2026_10'], 0],
])('with partitions of %s the months ahead are counted without a gap', (_, months, ahead) => {
  expect(monthsAhead(partitions(...months), november)).toBe(ahead);
});

test('a month that has begun is no longer ahead', () => {
  const three = partitions('2026_11', '2026_12', '2027_01');
  expect(monthsAhead(three, new Date('2026-12-01T00:00:00Z'))).toBe(1);
});
