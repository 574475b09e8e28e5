// Pieces of which the schemas of events are made, tolerant of how senders write (numbers or texts, prefixed enums, nulls
// for what is not said) and strict about what they say: an amount is exact or unreadable, and so is a date.

import * as z from 'zod/mini';
import { calendarDate, parseInstant } from '../calendar-date.ts';
import { isNumberSource } from '../exact-json.ts';
import { currencyExponent, formatAmount, parseBalance } from '../money.ts';
import { isName } from '../stream/envelope.ts';
import { senderTime } from '../stream/sender-time.ts';
import { type Business, UnreadableEvent } from './event-type.ts';
import type { Json } from './registers.ts';

const textLimit = 100_000;

const written = z.pipe(
  z.custom<unknown>(
    (value) => typeof value === 'string' || isNumberSource(value),
    'expected a text or a number',
  ),
  z.transform((value) => (isNumberSource(value) ? value.rawJSON : (value as string))),
);

const isSaid = (value: unknown): boolean => value !== null && value !== '';

/** What is missing, null or empty is not said; nor is what is empty once it is read. */
export const optional = <Schema extends z.ZodMiniType>(schema: Schema) =>
  z.optional(
    z.pipe(
      z.transform((value: unknown) => (isSaid(value) ? value : undefined)),
      z.pipe(
        z.optional(schema),
        z.transform((value): z.output<Schema> | undefined =>
          isSaid(value) ? (value as z.output<Schema>) : undefined,
        ),
      ),
    ),
  );

/** An id of somebody else's: 1 to 200 visible characters. */
export const id = written.check(z.refine((value) => isName(value), 'expected 1 to 200 visible characters'));
export const optionalId = optional(id);

const upTo = (limit: number) =>
  optional(written.check(z.refine((value) => value.length <= limit, `expected at most ${limit} characters`)));

export const text = upTo(textLimit);

/** What is searched for: no longer than an index takes. */
export const line = upTo(200);

/** What kind of thing something is. */
export const kindName = optional(
  written.check(z.refine((value) => isName(value, 100), 'expected 1 to 100 visible characters')),
);

/** `AccountStatus.ACTIVE` is ACTIVE. */
export const word = optional(
  z.pipe(
    written.check(z.refine((value) => value.length <= 200, 'expected at most 200 characters')),
    z.transform((value) => value.slice(value.lastIndexOf('.') + 1).toUpperCase()),
  ),
);

export const wholeNumber = z.pipe(
  written.check(z.refine((value) => /^-?\d{1,9}(\.0+)?$/.test(value), 'expected a whole number')),
  z.transform((value) => Number(value)),
);
export const optionalWholeNumber = optional(wholeNumber);

/** Read with its currency by `money`. */
export const amount = optional(written);

/** Read in the business zone by `instant` and `day`. */
export const time = optional(written);

export const currencyCode = optional(
  z
    .pipe(
      z.string(),
      z.transform((value) => value.toUpperCase()),
    )
    .check(z.refine((code) => currencyExponent(code) !== undefined, 'expected an ISO 4217 code')),
);

export const list = <Schema extends z.ZodMiniType>(schema: Schema, limit = 1_000) =>
  optional(z.array(schema).check(z.maxLength(limit, `expected at most ${limit}`)));

/** `100.50 EUR` */
export function money(
  written: string | undefined,
  name: string,
  { currency }: { currency?: string | undefined },
  business: Business,
): string | undefined {
  if (written === undefined) return undefined;
  const code = currency ?? business.currency;
  const parsed = parseBalance(written, code);
  if (!parsed.ok) throw new UnreadableEvent(`${name} is not an amount of ${code}: ${parsed.refusal}`);
  return `${formatAmount(parsed.value)} ${code}`;
}

/** ISO 8601, UTC, microseconds. */
export function instant(
  written: string | undefined,
  name: string,
  { timeZone }: Business,
): string | undefined {
  if (written === undefined) return undefined;
  const read = senderTime(written, timeZone);
  if (read === undefined) throw new UnreadableEvent(`${name} is not a time`);
  return toMicroseconds(read);
}

/** A sender's time as Postgres keeps it; the digits beyond are cut, not rounded into the next second. */
export const toMicroseconds = (time: string): string => `${time.slice(0, 26)}Z`;

/** The calendar date in the business zone. */
export function day(written: string | undefined, name: string, { timeZone }: Business): string | undefined {
  if (written === undefined) return undefined;
  if (/^\d{4}-\d{2}-\d{2}$/.test(written) && parseInstant(written, timeZone)) return written;
  const read = instant(written, name, { timeZone, currency: '' });
  return read && calendarDate(new Date(read), timeZone);
}

/** The first that is said. */
export const firstOf = <T>(...values: Array<T | undefined>): T | undefined =>
  values.find((value) => value !== undefined);

/** For an id that has two names, when neither is there. */
export function named(value: string | undefined, name: string): string {
  if (value === undefined) throw new UnreadableEvent(`${name} is missing`);
  return value;
}

/** What is kept as it came, numbers as they were written. */
export function plainJson(value: unknown): Json {
  if (isNumberSource(value)) return value.rawJSON;
  if (Array.isArray(value)) return value.map(plainJson);
  if (typeof value !== 'object' || value === null) return value as Json;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plainJson(member)]));
}
