// Why staff decide something: a text of 1 to 1000 characters.

import * as z from 'zod/mini';

export const reason = z
  .string('expected a text')
  .check(
    z.refine(
      (text) => text.trim().length > 0 && text.length <= 1000 && !text.includes('\0'),
      'expected 1 to 1000 characters',
    ),
  );
