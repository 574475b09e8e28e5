// Lists come in keyset pages: `limit` and an opaque `after`, answered as {data, next}. A page never shifts when rows
// are added in front of it.

import * as z from 'zod/mini';
import { decodeKey, encodeKey, type PageKey } from '../../shared/read/page.ts';

const limitDefault = 50;
const limitMaximum = 200;

/** The query parameters of every list. */
export const pageParameters = {
  limit: z.pipe(
    z._default(
      z.string().check(
        z.refine(
          (text) => /^\d{1,3}$/.test(text) && +text >= 1 && +text <= limitMaximum,
          `expected 1 to ${limitMaximum}`,
        ),
        z.meta({ type: 'integer', minimum: 1, maximum: limitMaximum }),
      ),
      String(limitDefault),
    ),
    z.transform(Number),
  ),
  after: z.optional(
    z.pipe(
      z.string().check(
        z.refine((text) => decodeKey(text) !== undefined, 'expected the `next` of an earlier page'),
        z.meta({ description: 'The `next` of an earlier page' }),
      ),
      z.transform((text) => decodeKey(text) as PageKey),
    ),
  ),
};

export const page = <Row>(data: Row[], next: PageKey | undefined) => ({
  data,
  next: next ? encodeKey(next) : null,
});
