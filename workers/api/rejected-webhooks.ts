// Webhook bodies that were signed and could not be read. Staff see them masked, send one again, or dismiss it.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import {
  dismissRejectedBody,
  type RejectedBodyRefusal,
  resendRejectedBody,
} from '../../shared/payments/resend-rejected-body.ts';
import { readRejectedBodies } from '../../shared/read/channel-posts.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { actorOf, askedDatabase } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { page, pageParameters } from './pages.ts';
import { reason } from './reason.ts';
import { route } from './route.ts';
import { arrived, rejectedBody } from './shapes/operations.ts';
import { byId, pageOf } from './shapes/values.ts';

const listParameters = z.object({
  ...pageParameters,
  status: z.optional(z.enum(['open', 'resent', 'dismissed'], 'expected open, resent or dismissed')),
  channel: z.optional(z.string()),
});
/** A text, so that amounts keep the digits that staff write. */
const resending = z.object({
  body: z.nullish(
    z.string('expected a text').check(
      z.refine((text) => text !== '', 'expected a text'),
      z.meta({ minLength: 1 }),
    ),
  ),
});
const dismissal = z.object({ reason });

type Row = Awaited<ReturnType<typeof readRejectedBodies>>['rows'][number];
const shown = (row: Row) => ({ ...row, refusal: JSON.parse(row.refusal) });

const tag = 'Rejected webhooks';

export const rejectedWebhookRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'rejected:read',
        summary: 'Signed bodies that could not be read, newest first by when they were first seen',
        tag,
        query: listParameters,
        answers: { 200: pageOf(rejectedBody) },
      },
      async (c) => {
        const { limit, after, status, channel } = c.req.valid('query');
        const db = openDatabase(c.get('settings').database);
        const { rows, next } = await readRejectedBodies(db, { status, channel }, after, limit);
        return c.json(page(rows.map(shown), next));
      },
    ),
  )
  .get(
    ...route(
      '/:id',
      {
        permission: 'rejected:read',
        summary: 'One such body, masked',
        tag,
        params: byId,
        answers: { 200: rejectedBody },
      },
      async (c) => {
        const db = openDatabase(c.get('settings').database);
        const { rows } = await readRejectedBodies(db, { id: c.req.param('id') }, undefined, 1);
        return rows[0] ? c.json(shown(rows[0])) : refuse(c, 'not_found');
      },
    ),
  )
  .post(
    ...route(
      '/:id/resend',
      {
        permission: 'rejected:resend',
        summary: 'Its channel reads it again, and what is in it is recorded',
        description: 'As it is kept, or the text `body` in its place.',
        tag,
        params: byId,
        body: resending,
        answers: { 200: z.object({ status: z.literal('resent'), results: z.array(arrived) }) },
        problems: ['already_decided', 'masked_body', 'unknown_channel', 'malformed_body'],
      },
      async (c) => {
        const { channels, business } = c.get('settings');
        const { body: corrected = null } = c.req.valid('json');
        const what = { id: c.req.param('id'), corrected, actor: actorOf(c.get('caller')) };
        const resent = await resendRejectedBody(askedDatabase(c), what, channels, business);
        return resent.ok
          ? c.json({ status: 'resent', results: resent.value })
          : refuseBody(c, resent.refusal);
      },
    ),
  )
  .post(
    ...route(
      '/:id/dismiss',
      {
        permission: 'rejected:resend',
        summary: 'Nothing is recorded; it stays with the reason',
        tag,
        params: byId,
        body: dismissal,
        answers: { 200: z.object({ status: z.literal('dismissed') }) },
        problems: ['already_decided'],
      },
      async (c) => {
        const { reason } = c.req.valid('json');
        const what = { id: c.req.param('id'), reason, actor: actorOf(c.get('caller')) };
        const dismissed = await dismissRejectedBody(askedDatabase(c), what);
        return dismissed.ok ? c.json({ status: 'dismissed' }) : refuseBody(c, dismissed.refusal);
      },
    ),
  );

function refuseBody(c: RequestContext<ApiSettings>, refusal: RejectedBodyRefusal): Response {
  switch (refusal.kind) {
    case 'unknown_body':
      return refuse(c, 'not_found');
    case 'already_decided':
      return refuse(c, 'already_decided', { members: { decision: refusal.status } });
    case 'unknown_channel':
      return refuse(c, 'unknown_channel', { detail: "The body's channel is none of CHANNELS any more." });
    case 'altered':
      return refuse(c, 'masked_body', { detail: 'Send the corrected text as `body`.' });
    case 'nothing_in_it':
      return refuse(c, 'invalid_request', {
        errors: [{ field: 'body', code: 'invalid', message: 'holds nothing that is to be recorded' }],
      });
    case 'unreadable':
      return refusal.refusal.kind === 'malformed'
        ? refuse(c, 'malformed_body', { detail: refusal.refusal.reason })
        : refuse(c, 'invalid_request', { errors: refusal.refusal.faults });
  }
}
