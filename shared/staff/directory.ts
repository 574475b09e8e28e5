// A directory (LDAP) as the sign-in knows it: a container of ours that answers whether a name and a password are
// somebody's there. The container says what is here, the auth Worker reads it.

import * as z from 'zod/mini';
import { text } from '../settings.ts';
import type { GroupRoles } from './group-roles.ts';

export const directoryAnswer = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('known'),
    /** But for its source an Identity. */
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

export interface Directory {
  /** The name in lower case. Throws DirectoryAway. */
  ask: (credentials: { username: string; password: string }) => Promise<DirectoryAnswer>;
  groupRoles: GroupRoles;
}

/** Whoever has it can try passwords past every limit. */
export const directoryKey = () =>
  text('the secret that auth Worker and directory share').check(
    z.minLength(32, 'expected at least 32 characters'),
  );
