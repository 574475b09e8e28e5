import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { expect, test } from 'vitest';
import { calendarDate, isTimeZone, parseInstant } from './calendar-date.ts';

// Half-hour and quarter-hour offsets, clocks that go back for Ramadan, jump at midnight, or lost a whole day.
const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/Sao_Paulo',
  'Australia/Lord_Howe',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Africa/Casablanca',
  'Africa/Cairo',
  'Pacific/Apia',
  'Pacific/Kiritimati',
];
const ms = (text: string) => Date.parse(text);
const anyZone = fc.constantFrom(...zones);
const anyInstant = fc.integer({ min: ms('0001-01-03T00:00Z'), max: ms('9999-12-29T00:00Z') });

/** Every change of a zone's clock from 1970 to 2037. */
const transitionsOf = (zone: string): number[] => {
  const found: number[] = [];
  const start = Temporal.Instant.from('1970-01-01T00:00Z').toZonedDateTimeISO(zone);
  for (
    let at = start.getTimeZoneTransition('next');
    at && at.year < 2038;
    at = at.getTimeZoneTransition('next')
  ) {
    found.push(at.epochMilliseconds);
  }
  return found;
};
const changes = zones.flatMap((zone) => transitionsOf(zone).map((at) => ({ zone, at })));
const nearChange = fc.record({
  change: fc.constantFrom(...changes),
  minutes: fc.integer({ min: -1560, max: 1560 }),
});

const wallText = (instantMs: number, zone: string) =>
  Temporal.Instant.fromEpochMilliseconds(instantMs).toZonedDateTimeISO(zone).toPlainDateTime().toString();
const compatible = (wall: string, zone: string) =>
  Temporal.PlainDateTime.from(wall).toZonedDateTime(zone, { disambiguation: 'compatible' }).epochMilliseconds;

test('the calendar date of an instant is the one that the zone’s clock shows', () => {
  fc.assert(
    fc.property(anyInstant, anyZone, (instant, zone) => {
      expect(calendarDate(new Date(instant), zone)).toBe(wallText(instant, zone).slice(0, 10));
    }),
    { numRuns: 500 },
  );
});

test('a time without offset is the zone’s wall clock', () => {
  fc.assert(
    fc.property(anyInstant, anyZone, (wallMs, zone) => {
      const wall = wallText(wallMs, 'UTC');
      expect(parseInstant(wall, zone)?.getTime()).toBe(compatible(wall, zone));
    }),
    { numRuns: 500 },
  );
});

test('around a change of the clock, skipped and repeated times are read as ISO practice has it', () => {
  expect(changes.length).toBeGreaterThan(500);
  fc.assert(
    fc.property(nearChange, ({ change: { zone, at }, minutes }) => {
      const wall = Temporal.Instant.fromEpochMilliseconds(at)
        .toZonedDateTimeISO(zone)
        .toPlainDateTime()
        .add({ minutes })
        .toString();
      expect(parseInstant(wall, zone)?.getTime()).toBe(compatible(wall, zone));
      const near = at + minutes * 60_000;
      expect(calendarDate(new Date(near), zone)).toBe(wallText(near, zone).slice(0, 10));
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  ['skipped', 'Europe/Berlin', '2024-03-31T02:30', '2024-03-31T01:30:00.000Z'],
  ['repeated, the earlier one', 'Europe/Berlin', '2024-10-27T02:30', '2024-10-27T00:30:00.000Z'],
  ['half an hour skipped', 'Australia/Lord_Howe', '2024-10-06T02:15', '2024-10-05T15:45:00.000Z'],
  ['a skipped midnight', 'America/Sao_Paulo', '2018-11-04', '2018-11-04T03:00:00.000Z'],
  ['a skipped day', 'Pacific/Apia', '2011-12-30T12:00', '2011-12-30T22:00:00.000Z'],
])('%s: %s at %s is %s', (_, zone, wall, instant) => {
  expect(parseInstant(wall, zone)?.toISOString()).toBe(instant);
});

test('a date alone is the start of that day', () => {
  const anyDay = fc.oneof(
    anyInstant,
    nearChange.map(({ change, minutes }) => change.at + minutes * 60_000),
  );
  fc.assert(
    fc.property(anyDay, anyZone, (day, zone) => {
      const date = wallText(day, 'UTC').slice(0, 10);
      const start = Temporal.PlainDate.from(date).toZonedDateTime(zone).epochMilliseconds;
      expect(parseInstant(date, zone)?.getTime()).toBe(start);
    }),
    { numRuns: 500 },
  );
});

test('a time with an offset is that instant, whatever the zone', () => {
  const anyOffset = fc.stringMatching(/^(Z|z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)$/);
  fc.assert(
    fc.property(anyInstant, anyOffset, anyZone, (wallMs, offset, zone) => {
      const text = `${wallText(wallMs, 'UTC')}${offset}`;
      expect(parseInstant(text, zone)?.getTime()).toBe(Temporal.Instant.from(text).epochMilliseconds);
    }),
    { numRuns: 500 },
  );
});

test('digits beyond milliseconds are cut, never rounded into the next day', () => {
  const last = '2024-12-31T23:59:59';
  for (const [fraction, shown] of [
    ['.9999', '.999'],
    ['.999999999', '.999'],
    [',5', '.500'],
    ['.0009', '.000'],
  ]) {
    expect(parseInstant(`${last}${fraction}Z`, 'UTC')?.toISOString()).toBe(`${last}${shown}Z`);
  }
  expect(calendarDate(parseInstant(`${last}.9999999Z`, 'UTC') as Date, 'UTC')).toBe('2024-12-31');
});

test.each([
  ['2024-06-15 12:30:00', '2024-06-15T12:30:00.000Z'],
  ['2024-06-15T12:30', '2024-06-15T12:30:00.000Z'],
  ['2024-02-29', '2024-02-29T00:00:00.000Z'],
  ['2000-02-29T00:00:00+00', '2000-02-29T00:00:00.000Z'],
  ['0001-01-01', '0001-01-01T00:00:00.000Z'],
  ['9999-12-31T23:59:59.999', '9999-12-31T23:59:59.999Z'],
])('%s is read', (text, instant) => {
  expect(parseInstant(text, 'UTC')?.toISOString()).toBe(instant);
});

test.each([
  ...['', 'today', '1718454600', '2024', '2024-06', '15.06.2024', '06/15/2024', '2024-6-15', '20240615'],
  ...['2024-02-30', '2023-02-29', '1900-02-29', '2024-00-10', '2024-13-01', '2024-06-00', '2024-06-31'],
  ...[
    '2024-06-15T24:00',
    '2024-06-15T12:60',
    '2024-06-15T12:30:60',
    '2024-06-15T12',
    '2024-06-15T',
    '2024-06-15Z',
  ],
  ...['2024-06-15T12:30:00.', '2024-06-15T12:30:00.1234567890', '2024-06-15T12:30.5', '2024-06-15t12:30'],
  ...[
    '2024-06-15T12:30+24:00',
    '2024-06-15T12:30+05:60',
    '2024-06-15T12:30+5',
    '2024-06-15T12:30+',
    '2024-06-15T12:30 Z',
  ],
  ...['2024-06-15T12:30[Europe/Berlin]', ' 2024-06-15', '2024-06-15\n', '٢٠٢٤-06-15'],
  ...['0000-06-15', '0000-12-31T23:30-01:00', '-0001-06-15', '10000-01-01', '+002024-06-15'],
])('%j is no instant', (text) => {
  expect(parseInstant(text, 'Europe/Berlin')).toBe(undefined);
});

test.each([
  ['9999-12-31T23:59:59Z', 'Asia/Kolkata'],
  ['9999-12-31T23:59:59-01:00', 'UTC'],
  ['9999-12-31T23:00', 'America/New_York'],
  ['0001-01-01T00:00:00Z', 'America/New_York'],
  ['0001-01-01T00:00:00+01:00', 'UTC'],
  ['0001-01-01', 'Europe/Berlin'],
])(
  '%s is refused in %s, where it or its calendar date lies outside of the years 0001 to 9999',
  (text, zone) => {
    expect(parseInstant(text, zone)).toBe(undefined);
  },
);

test('the years before 1 are not mistaken for years after it', () => {
  expect(calendarDate(new Date('0001-01-01T00:00:00Z'), 'America/New_York')).toBe('0000-12-31');
});

test('a time zone is an IANA name', () => {
  expect(zones.every(isTimeZone)).toBe(true);
  expect(['', 'Mars/Olympus', 'Berlin', 'UTC+25', 'Europe/Berlin '].filter(isTimeZone)).toEqual([]);
});
