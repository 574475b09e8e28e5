// What requests for a second person announce on topic approval.events. The database writes the texts in the transaction that
// does what they tell (approvals.tell); this is their contract. Parse a text with parseExactJson.

import * as z from 'zod/mini';
import { isNumberSource, type NumberSource } from '../exact-json.ts';
import { limitedKinds } from './request.ts';

/** UTC, milliseconds. */
const instant = z.iso.datetime({ precision: 3 });

const ofEvery = {
  event_id: z.uuid(),
  timestamp: instant,
  request_id: z.uuid(),
  kind: z.enum(limitedKinds),
  account_id: z.string(),
  /** Absent where the loan's is not known. */
  customer_id: z.optional(z.string()),
  /** Major units with exactly the currency's decimals. */
  amount: z.custom<NumberSource>(isNumberSource),
  currency: z.string().check(z.length(3)),
  requested_by: z.string(),
  requested_at: instant,
};
const decided = (decision: 'approved' | 'rejected' | 'cancelled') => ({
  [`${decision}_by`]: z.string(),
  [`${decision}_at`]: instant,
  comment: z.optional(z.string()),
});

const steps = {
  requested: { reason: z.string() },
  approved: decided('approved'),
  rejected: decided('rejected'),
  cancelled: decided('cancelled'),
  expired: { expired_at: instant, comment: z.string() },
  executed: { settled_at: instant, transaction_id: z.string() },
  failed: { settled_at: instant, failure: z.string() },
};

const eventOf = (type: string, step: keyof typeof steps) =>
  z.strictObject({ event_type: z.literal(type), ...ofEvery, ...steps[step] });

/** By type. Write-offs have the words of servicing systems, as far as those have any. */
export const approvalEvents: Record<string, z.ZodMiniType> = Object.fromEntries(
  (Object.keys(steps) as Array<keyof typeof steps>).flatMap((step) => {
    const known = ['requested', 'approved', 'rejected', 'cancelled'].includes(step);
    return [`approval.${step}.v1`, ...(known ? [`writeoff.${step}.v1`] : [])].map((type) => [
      type,
      eventOf(type, step),
    ]);
  }),
);
