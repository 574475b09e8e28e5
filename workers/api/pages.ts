// Lists come in keyset pages: `limit` and an opaque `after`, answered as {data, next}. A page never shifts when rows
// are added in front of it.

import * as z from 'zod/mini';
import { parseInstant } from '../../shared/calendar-date.ts';
import { isUuid } from '../../shared/id.ts';
import type { PageKey } from '../../shared/read/page.ts';

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
      z.string().check(
        z.refine(
          (text) => /^\d{1,3}$/.test(text) && +text >= 1 && +text <= limitMaximum,
          `expected 1 to ${limitMaximum}`,
        ),
        z.meta({ pattern: `^([1-9][0-9]?|1[0-9]{2}|${limitMaximum})$` }),
      ),
      String(limitDefault),
    ),
    z.transform(Number),
  ),
  after: z.optional(
    z.pipe(
      z.string().check(
        z.refine((text) => decode(text) !== undefined, 'expected the `next` of an earlier page'),
        z.meta({ description: 'The `next` of an earlier page' }),
      ),
      z.transform((text) => decode(text) as PageKey),
    ),
  ),
};

export const page = <Row>(data: Row[], next: PageKey | undefined) => ({
  data,
  next: next ? encode(next) : null,
});
