// A note about a customer, and what writes one.

import * as z from 'zod/mini';
import { noteTextLimit } from '../../../shared/notes/note.ts';
import { maskCardText } from '../../../shared/payments/mask-card-data.ts';
import { instant, uuid } from './values.ts';

export const note = z.object({
  id: uuid,
  customerId: z.string(),
  pinned: z.boolean(),
  version: z.int(),
  /** What was written, and what was added to it. */
  texts: z.array(z.object({ text: z.string(), writtenBy: z.string(), writtenAt: instant })),
  createdBy: z.string(),
  createdAt: instant,
  changedAt: instant,
});

const text = z.pipe(
  z.string('expected a text').check(
    z.refine(
      (value) =>
        value.trim().length > 0 &&
        value.length <= noteTextLimit &&
        !value.includes('\0') &&
        value.isWellFormed(),
      `expected 1 to ${noteTextLimit} characters`,
    ),
    z.meta({
      minLength: 1,
      maxLength: noteTextLimit,
      pattern: '^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$',
    }),
  ),
  z.transform(maskCardText),
);

export const newNote = z.strictObject({ text, pinned: z.optional(z.boolean('expected true or false')) });
export const amendment = z.strictObject({ text });
