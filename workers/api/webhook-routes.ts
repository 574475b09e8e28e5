// What the webhooks Worker serves, described beside it: its bundle has no use for this. Its own tests try it.

import * as z from 'zod/mini';
import type { Declared, RouteSpec } from '../route.ts';
import { uuid } from './shapes/values.ts';

const single = z.object({
  status: z.enum(['created', 'duplicate', 'conflict', 'accepted']),
  payment_id: z.optional(uuid),
  conflict_id: z.optional(uuid),
});
const many = z.object({
  status: z.literal('accepted'),
  results: z.array(
    z.object({
      kind: z.enum(['payment', 'reversal', 'failure', 'notice']),
      status: z.string(),
      payment_id: z.optional(uuid),
      conflict_id: z.optional(uuid),
      reversal_id: z.optional(uuid),
    }),
  ),
  ignored: z.int(),
  rejected: z.int(),
});
const paymentAnswer = z.union([many, single]);

const judged = z.object({
  results: z.array(
    z.object({
      status: z.enum(['accepted', 'duplicate', 'conflict', 'invalid']),
      event_id: z.optional(z.string()),
      reason: z.optional(z.string()),
    }),
  ),
});

const signed = ['invalid_signature', 'address_not_allowed', 'unknown_channel'] as const;
const byChannel = z.object({ channel: z.string() });
const summaryOf = (what: string) => `${what}; open because the body is signed`;

const payments: RouteSpec = {
  permission: 'open',
  summary: summaryOf('A payment, or what a provider sends'),
  description:
    'Signed and shaped as the scheme of the channel says (`standard` unless named). 201: created; 200: it was there before, or a provider need not send it again; 202: kept until it can be recorded.',
  tag: 'Webhooks',
  bodyShape: z.record(z.string(), z.unknown()),
  bodyLimits: 'As much as its provider sends at once, within `WEBHOOK_TIMEOUT_MS`.',
  answers: { 200: paymentAnswer, 201: single, 202: paymentAnswer },
  problems: [...signed, 'payment_conflict'],
  mediaType: ['application/json', 'text/plain'],
};
const events: RouteSpec = {
  permission: 'open',
  summary: summaryOf('Servicing events'),
  description: 'One event, or a list of them. 202: some of them are kept; each is judged on its own.',
  tag: 'Webhooks',
  bodyShape: z.union([z.record(z.string(), z.unknown()), z.array(z.record(z.string(), z.unknown()))]),
  bodyLimits: 'At most 1024 KiB, within `WEBHOOK_TIMEOUT_MS`.',
  answers: { 200: judged, 202: judged },
  problems: [...signed, 'event_conflict'],
};

const health: RouteSpec = {
  permission: 'open',
  summary: 'That this Worker is well; open to the front door',
  tag: 'System',
  answers: { 200: z.object({ status: z.literal('healthy'), outages: z.enum(['accept', 'refuse']) }) },
};

export const webhookRoutes: readonly Declared[] = [
  { method: 'POST', path: '/api/v1/payments/webhook', spec: payments },
  { method: 'POST', path: '/api/v1/payments/webhook/:channel', spec: { ...payments, params: byChannel } },
  { method: 'POST', path: '/api/v1/events', spec: events },
  { method: 'POST', path: '/api/v1/events/:channel', spec: { ...events, params: byChannel } },
  // The front door's own is another one.
  { method: 'GET', path: '/health', spec: health },
];
