// What the answers of this API are made of. They describe and are not run against what is answered; the tests do that.

import * as z from 'zod/mini';

export const uuid = z.guid();

/** UTC, with milliseconds. */
export const instant = z.string().check(z.meta({ format: 'date-time' }));

export const calendarDay = z.string().check(z.meta({ format: 'date' }));

/** In major units, with exactly the currency's decimals. */
export const decimal = z.string().check(z.meta({ pattern: '^-?[0-9]+(\\.[0-9]+)?$' }));

/** The same digits as a JSON number. */
export const exactNumber = z.number();

export const currency = z.string().check(z.meta({ pattern: '^[A-Z]{3}$' }));

/** Whatever it is, with the digits it was sent with. */
export const metadata = z.record(z.string(), z.unknown());

/** In a query. */
export const truth = z.pipe(
  z.enum(['true', 'false'], 'expected true or false'),
  z.transform((text) => text === 'true'),
);

export const pageOf = <S extends z.ZodMiniType>(row: S) =>
  z.object({ data: z.array(row), next: z.nullable(z.string()) });

/** Of the paths that name one thing by its UUID. */
export const byId = z.object({ id: uuid });
