// Instants and calendar dates. An instant is a Date (milliseconds; finer digits are cut, never rounded into the next
// day); a calendar date is 'YYYY-MM-DD' in the business zone. No clock here: `now` is always an argument.

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(zone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(zone);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      // Not 'iso8601', which leaves the era out, so that the years before 1 would come back as years after it.
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
    formatters.set(zone, formatter);
  }
  return formatter;
}

/** True for an IANA time zone that this runtime knows. */
export function isTimeZone(zone: string): boolean {
  try {
    formatterOf(zone);
    return true;
  } catch {
    return false;
  }
}

/** The zone's wall clock at an instant, expressed as if it were UTC (milliseconds). */
function wallClock(instantMs: number, zone: string): number {
  const parts: Record<string, string> = {};
  for (const { type, value } of formatterOf(zone).formatToParts(instantMs)) parts[type] = value;
  const year = parts.era?.startsWith('B') ? 1 - Number(parts.year) : Number(parts.year);
  const wall = new Date(0);
  wall.setUTCFullYear(year, Number(parts.month) - 1, Number(parts.day));
  wall.setUTCHours(Number(parts.hour), Number(parts.minute), Number(parts.second));
  return wall.getTime();
}

const dayMs = 86_400_000;
/** Offsets at the beginnings of UTC days by zone, since Intl costs many times the rest. */
const offsetsOfDays = new Map<string, Map<number, number>>();
const daysLimit = 10_000;

function offsetAtDay(day: number, zone: string): number {
  let offsets = offsetsOfDays.get(zone);
  if (!offsets || offsets.size === daysLimit) {
    offsets = new Map();
    offsetsOfDays.set(zone, offsets);
  }
  let offset = offsets.get(day);
  if (offset === undefined) {
    offset = wallClock(day * dayMs, zone) - day * dayMs;
    offsets.set(day, offset);
  }
  return offset;
}

/** A day that begins and ends with one offset has it throughout: no zone has ever changed its clock and back in a day. */
function offsetAt(instantMs: number, zone: string): number {
  const day = Math.floor(instantMs / dayMs);
  const offset = offsetAtDay(day, zone);
  if (offset === offsetAtDay(day + 1, zone)) return offset;
  const wholeSecond = Math.floor(instantMs / 1000) * 1000;
  return wallClock(wholeSecond, zone) - wholeSecond;
}

/** What the zone's clock shows at an instant: 'YYYY-MM-DDTHH:MM:SS.mmm'. */
export function localTime(instant: Date, zone: string): string {
  return new Date(instant.getTime() + offsetAt(instant.getTime(), zone)).toISOString().slice(0, 23);
}

/** The calendar date of an instant in a zone. */
export const calendarDate = (instant: Date, zone: string): string => localTime(instant, zone).slice(0, 10);

/**
 * The instant at which the zone's clock shows this wall time (given as if it were UTC). A time that the clock skips
 * is read with the offset before the gap, a time that it shows twice is the earlier one, as ISO practice has it.
 */
function instantOfWallClock(wallMs: number, zone: string): number {
  const before = wallMs - offsetAt(wallMs - dayMs, zone);
  const after = wallMs - offsetAt(wallMs + dayMs, zone);
  if (offsetAt(before, zone) === wallMs - before) return before;
  if (offsetAt(after, zone) === wallMs - after) return after;
  return before;
}

const yearOneMs = Date.parse('0001-01-01T00:00:00Z');
const yearTenThousandMs = Date.UTC(10_000, 0);

const iso8601 =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(Z|z|[+-]\d{2}(?::?\d{2})?)?)?$/;

/**
 * Reads an ISO 8601 date or date-time, years 0001 to 9999. With an offset it is that instant; without one it is the
 * wall clock of `zone`; a date alone is the start of that day there. Undefined for anything else: 30 February, and
 * what is outside of those years in UTC or in `zone`, so that its calendar date can be written and kept.
 */
export function parseInstant(text: string, zone: string): Date | undefined {
  const match = iso8601.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', offset] = match;
  const wall = new Date(
    `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}Z`,
  );
  // Date lets 30 February roll over into March, so the date it understood has to be the one that was written.
  if (Number.isNaN(wall.getTime()) || year === '0000') return undefined;
  if (wall.toISOString().slice(0, 13) !== `${year}-${month}-${day}T${hour}`) return undefined;
  const instant = offset ? wall.getTime() - offsetMs(offset) : instantOfWallClock(wall.getTime(), zone);
  const isWithinYears = (ms: number) => ms >= yearOneMs && ms < yearTenThousandMs;
  return isWithinYears(instant) && isWithinYears(instant + offsetAt(instant, zone))
    ? new Date(instant)
    : undefined;
}

/** Milliseconds east of UTC; NaN for more than ISO 8601 allows. */
function offsetMs(offset: string): number {
  if (offset === 'Z' || offset === 'z') return 0;
  const hours = Number(offset.slice(1, 3));
  const minutes = Number(offset.slice(3).replace(':', '') || '0');
  if (hours > 23 || minutes > 59) return Number.NaN;
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}
