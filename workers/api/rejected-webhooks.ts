// Webhook bodies that were signed and could not be read. Staff see them masked, send one again, or dismiss it.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { isUuid } from '../../shared/id.ts';
import {
  dismissRejectedBody,
  type RejectedBodyRefusal,
  resendRejectedBody,
} from '../../shared/payments/resend-rejected-body.ts';
import { readRejectedBodies } from '../../shared/read/channel-posts.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { actorOf, type createCallerCheck } from '../caller.ts';
import { openDatabase } from '../database.ts';
import { jsonBody } from '../json-body.ts';
import type { ApiSettings } from './env.ts';
import { page, pageParameters, validQuery } from './pages.ts';
import { reason } from './reason.ts';

const listParameters = z.object({
  ...pageParameters,
  status: z.optional(z.enum(['open', 'resent', 'dismissed'], 'expected open, resent or dismissed')),
  channel: z.optional(z.string()),
});
/** A text, so that amounts keep the digits that staff write. */
const resending = z.object({
  body: z.nullish(z.string('expected a text').check(z.refine((text) => text !== '', 'expected a text'))),
});
const dismissal = z.object({ reason });

type Row = Awaited<ReturnType<typeof readRejectedBodies>>['rows'][number];
const shown = (row: Row) => ({ ...row, refusal: JSON.parse(row.refusal) });

export function rejectedWebhookRoutes(callerCheck: ReturnType<typeof createCallerCheck<ApiSettings>>) {
  const routes = new Hono<Scope<ApiSettings>>();

  routes.get('/', callerCheck('rejected:read'), validQuery(listParameters), async (c) => {
    const { limit, after, status, channel } = c.req.valid('query');
    const db = openDatabase(c.get('settings').database);
    const { rows, next } = await readRejectedBodies(db, { status, channel }, after, limit);
    return c.json(page(rows.map(shown), next));
  });

  routes.get('/:id', callerCheck('rejected:read'), async (c) => {
    const id = c.req.param('id');
    if (!isUuid(id)) return refuse(c, 'not_found');
    const { rows } = await readRejectedBodies(openDatabase(c.get('settings').database), { id }, undefined, 1);
    return rows[0] ? c.json(shown(rows[0])) : refuse(c, 'not_found');
  });

  routes.post('/:id/resend', callerCheck('rejected:resend'), async (c) => {
    const id = c.req.param('id');
    if (!isUuid(id)) return refuse(c, 'not_found');
    const body = await jsonBody(c, resending);
    if (!body.ok) return body.refusal;
    const { database, channels, business } = c.get('settings');
    const what = { id, corrected: body.value.body ?? null, actor: actorOf(c.get('caller')) };
    const resent = await resendRejectedBody(openDatabase(database), what, channels, business);
    return resent.ok ? c.json({ status: 'resent', results: resent.value }) : refuseBody(c, resent.refusal);
  });

  routes.post('/:id/dismiss', callerCheck('rejected:resend'), async (c) => {
    const id = c.req.param('id');
    if (!isUuid(id)) return refuse(c, 'not_found');
    const body = await jsonBody(c, dismissal);
    if (!body.ok) return body.refusal;
    const what = { id, reason: body.value.reason, actor: actorOf(c.get('caller')) };
    const dismissed = await dismissRejectedBody(openDatabase(c.get('settings').database), what);
    return dismissed.ok ? c.json({ status: 'dismissed' }) : refuseBody(c, dismissed.refusal);
  });
  return routes;
}

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
