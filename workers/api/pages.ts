// Lists come in keyset pages: `limit` and an opaque `after`, answered as {data, next}. A page never shifts when rows
// are added in front of it.

import { zValidator } from '@hono/zod-validator';
import * as z from 'zod/mini';
import { parseInstant } from '../../shared/calendar-date.ts';
import { isUuid } from '../../shared/id.ts';
import type { PageKey } from '../../shared/read/page.ts';
import { faultsOf, refuse } from '../app.ts';

const limitDefault = 50;
const limitMaximum = 200;

const encode = (key: PageKey): string => btoa(`${key.at}|${key.id}`);

function decode(text: string): PageKey | undefined {
  try {
    const [at, id, ...rest] = atob(text).split('|');
    const isInstant = at && /\.\d{6}Z$/.test(at) && parseInstant(at, 'UTC') !== undefined;
    return isInstant && id && isUuid(id) && rest.length === 0 ? { at, id } : undefined;
  } catch {
    return undefined;
  }
}

/** The query parameters of every list. */
export const pageParameters = {
  limit: z.pipe(
    z._default(
      z
        .string()
        .check(
          z.refine(
            (text) => /^\d{1,3}$/.test(text) && +text >= 1 && +text <= limitMaximum,
            `expected 1 to ${limitMaximum}`,
          ),
        ),
      String(limitDefault),
    ),
    z.transform(Number),
  ),
  after: z.optional(
    z.pipe(
      z
        .string()
        .check(z.refine((text) => decode(text) !== undefined, 'expected the `next` of an earlier page')),
      z.transform((text) => decode(text) as PageKey),
    ),
  ),
};

export const page = <Row>(data: Row[], next: PageKey | undefined) => ({
  data,
  next: next ? encode(next) : null,
});

/** Validates the query; every fault is answered at once. */
export const validQuery = <S extends z.ZodMiniObject>(schema: S) =>
  zValidator('query', schema, (result, c) => {
    if (!result.success) return refuse(c, 'invalid_query', { errors: faultsOf(result.error) });
  });
