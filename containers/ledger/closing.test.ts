// Which day a close is about.

import { expect, test } from 'vitest';
import { dayToClose } from './closing.ts';

test.each([
  ['a moment before the time', '2026-03-02T00:09:59Z', 'UTC', '2026-02-28'],
  ['at the time', '2026-03-02T00:10:00Z', 'UTC', '2026-03-01'],
  ['late in the day', '2026-03-02T23:59:59Z', 'UTC', '2026-03-01'],
  ['where the day has begun before', '2026-03-01T23:10:00Z', 'Europe/Berlin', '2026-03-01'],
  ['where it begins later', '2026-03-02T00:10:00Z', 'America/New_York', '2026-02-28'],
  // There midnight did not exist: the clock went from 23:59:59 to 01:00.
  ['on a day that begins at one', '2026-09-06T04:15:00Z', 'America/Santiago', '2026-09-05'],
])('%s', (_, now, zone, day) => {
  expect(dayToClose(new Date(now), zone, 10)).toBe(day);
});
