// What a directory's container answers when it is asked whether a name and a password are somebody's, and the key that
// it is asked with. The container says it, the auth Worker reads it.

import * as z from 'zod/mini';
import { text } from '../settings.ts';

export const directoryAnswer = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('known'),
    identity: z.object({
      issuer: z.string(),
      subject: z.string(),
      username: z.string(),
      name: z.string(),
      email: z.nullable(z.string()),
      groups: z.array(z.string()),
    }),
  }),
  /** The same to people; the audit trail tells them apart. */
  z.object({ outcome: z.literal('refused'), because: z.enum(['unknown', 'password', 'disabled']) }),
]);
export type DirectoryAnswer = z.output<typeof directoryAnswer>;

/** Whoever has it can try passwords past every limit. */
export const directoryKey = () =>
  text('the secret that auth Worker and directory share').check(
    z.minLength(32, 'expected at least 32 characters'),
  );
