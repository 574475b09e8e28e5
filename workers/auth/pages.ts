// Lists of this Worker come in keyset pages: `limit` and an opaque `after`, answered as {data, next}.

import * as z from 'zod/mini';

const limitDefault = 50;
const limitMaximum = 200;

const encode = (key: readonly string[]): string =>
  btoa(String.fromCharCode(...new TextEncoder().encode(key.join('|'))));

function decode(text: string): string[] {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).split('|');
  } catch {
    return [];
  }
}

/** The query parameters of a list whose pages end at these texts, each of its form. */
export const pageParameters = (...forms: readonly RegExp[]) => ({
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
        z.refine((text) => {
          const key = decode(text);
          return key.length === forms.length && forms.every((form, i) => form.test(key[i] as string));
        }, 'expected the `next` of an earlier page'),
        z.meta({ description: 'The `next` of an earlier page' }),
      ),
      z.transform(decode),
    ),
  ),
});

export const page = <Row>(data: Row[], next: readonly string[] | undefined) => ({
  data,
  next: next ? encode(next) : null,
});

/** The shape of such an answer. */
export const pageOf = <S extends z.ZodMiniType>(row: S) =>
  z.object({ data: z.array(row), next: z.nullable(z.string()) });
