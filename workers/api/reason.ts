// Why staff decide something: a text of 1 to 1000 characters.

import * as z from 'zod/mini';

export const reason = z.string('expected a text').check(
  z.refine(
    (text) => text.trim().length > 0 && text.length <= 1000 && !text.includes('\0'),
    'expected 1 to 1000 characters',
  ),
  z.meta({ minLength: 1, maxLength: 1000, pattern: '^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$' }),
);
