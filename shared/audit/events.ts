// What the audit trail tells others: seed 004's AuthEvent on topic auth.events. The database writes the text in the
// transaction that writes the entry (audit.announce); this is its contract.

import * as z from 'zod/mini';

export const authEvent = z.strictObject({
  id: z.uuid(),
  type: z.enum(['USER_CREATED', 'USER_UPDATED', 'LOGIN_SUCCESS', 'LOGIN_FAILED', 'LOGOUT']),
  /** Absent where the name is nobody's. */
  userId: z.optional(z.uuid()),
  username: z.optional(z.string()),
  /** UTC, milliseconds. */
  timestamp: z.iso.datetime({ precision: 3 }),
  status: z.enum(['SUCCESS', 'FAILED']),
  reason: z.optional(z.string()),
  details: z.strictObject({
    /** Of the audit trail. */
    action: z.string(),
    actor: z.string(),
    address: z.optional(z.string()),
    requestId: z.optional(z.string()),
    /** Names of what changed, not what is in it. */
    changed: z.optional(z.array(z.string())),
  }),
});
