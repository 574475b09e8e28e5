// Conversations as they are answered.

import * as z from 'zod/mini';
import { instant } from './values.ts';

const text = z.nullable(z.string());
const moment = z.nullable(instant);

/** In lists. */
export const conversation = z.object({
  conversationId: z.string(),
  customerId: text,
  survivingCustomerId: text,
  fullName: text,
  applicationNumber: text,
  accountId: text,
  status: text,
  channel: text,
  startedAt: moment,
  lastMessageAt: moment,
  summary: text,
  decision: text,
  decidedAt: moment,
});

export const conversationWithLines = z.extend(conversation, {
  lines: z.array(
    z.object({
      eventId: z.string(),
      kind: z.string(),
      saidAt: moment,
      author: text,
      content: text,
      /** Of whatever type. */
      detail: z.unknown(),
    }),
  ),
  next: text,
});
