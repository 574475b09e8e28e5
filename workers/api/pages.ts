// Lists come in keyset pages: `limit` and an opaque `after`, answered as {data, next}. A page never shifts when rows
// are added in front of it.

import type { Context } from 'hono';
import * as z from 'zod/mini';
import { decodeKey, encodeKey, type PageKey } from '../../shared/read/page.ts';
import { refuse } from '../app.ts';

const limitDefault = 50;
const limitMaximum = 200;

const limitOf = (usual: number, maximum: number) =>
  z.pipe(
    z._default(
      z.string().check(
        z.refine(
          (text) => /^\d{1,3}$/.test(text) && +text >= 1 && +text <= maximum,
          `expected 1 to ${maximum}`,
        ),
        z.meta({ type: 'integer', minimum: 1, maximum }),
      ),
      String(usual),
    ),
    z.transform(Number),
  );

const notANext = 'expected the `next` of an earlier page';
const place = z.meta({ description: 'The `next` of an earlier page' });

/** The query parameters of every list. */
export const pageParameters = {
  limit: limitOf(limitDefault, limitMaximum),
  after: z.optional(
    z.pipe(
      z.string().check(
        z.refine((text) => decodeKey(text) !== undefined, notANext),
        place,
      ),
      z.transform((text) => decodeKey(text) as PageKey),
    ),
  ),
};

/** Of lists in several orders: their reads alone know whether `after` is of theirs, and it is answered by `refusePlace`. */
export const listParameters = {
  limit: pageParameters.limit,
  after: z.optional(z.string().check(place)),
};

/** Of what is the best of all that was found, and has no further pages. */
export const bestOf = { limit: limitOf(20, 100) };

export const refuseQuery = (
  c: Context,
  ...faults: ReadonlyArray<readonly [field: string, message: string]>
) =>
  refuse(c, 'invalid_query', {
    errors: faults.map(([field, message]) => ({ field, code: 'invalid', message })),
  });

export const refusePlace = (c: Context) => refuseQuery(c, ['after', notANext]);

export const page = <Row>(data: Row[], next: PageKey | undefined) => ({
  data,
  next: next ? encodeKey(next) : null,
});

/** Where an answer is a bare array, its next page is in a header. */
export function linkNext(c: Context, next: string | null | undefined): void {
  if (next === null || next === undefined) return;
  const url = new URL(c.req.url);
  url.searchParams.set('after', next);
  c.header('link', `<${url.pathname}${url.search}>; rel="next"`);
}
