// Conflicts: a reference that came again with other facts. Staff see both versions and decide.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { isUuid } from '../../shared/id.ts';
import { maskCardText } from '../../shared/payments/mask-card-data.ts';
import {
  acceptConflict,
  type ConflictRefusal,
  dismissConflict,
} from '../../shared/payments/resolve-conflict.ts';
import { readConflicts } from '../../shared/read/payments.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { actorOf, type createCallerCheck } from '../caller.ts';
import { openDatabase } from '../database.ts';
import { jsonBody } from '../json-body.ts';
import type { ApiSettings } from './env.ts';
import { page, pageParameters, validQuery } from './pages.ts';
import { withExactMetadata } from './payments.ts';
import { reason } from './reason.ts';

const listParameters = z.object({
  ...pageParameters,
  status: z.optional(z.enum(['open', 'accepted', 'dismissed'], 'expected open, accepted or dismissed')),
  reference: z.optional(z.string()),
});

const maskedReason = z.pipe(reason, z.transform(maskCardText));
const acceptance = z.object({ reason: z.nullish(maskedReason) });
const dismissal = z.object({ reason: maskedReason });

type ConflictRow = Awaited<ReturnType<typeof readConflicts>>['rows'][number];
const shown = (row: ConflictRow) => ({
  ...row,
  recorded: withExactMetadata(row.recorded),
  received: withExactMetadata(row.received),
});

export function conflictRoutes(callerCheck: ReturnType<typeof createCallerCheck<ApiSettings>>) {
  const routes = new Hono<Scope<ApiSettings>>();
  const refuseConflict = (c: RequestContext<ApiSettings>, refusal: ConflictRefusal) =>
    refusal.kind === 'unknown_conflict'
      ? refuse(c, 'not_found')
      : refuse(c, 'already_decided', { members: { decision: refusal.status } });

  routes.get('/', callerCheck('payments:read'), validQuery(listParameters), async (c) => {
    const { limit, after, status, reference } = c.req.valid('query');
    const db = openDatabase(c.get('settings').database);
    const { rows, next } = await readConflicts(db, { status, referenceNumber: reference }, after, limit);
    return c.json(page(rows.map(shown), next));
  });

  routes.get('/:id', callerCheck('payments:read'), async (c) => {
    const id = c.req.param('id');
    if (!isUuid(id)) return refuse(c, 'not_found');
    const { rows } = await readConflicts(openDatabase(c.get('settings').database), { id }, undefined, 1);
    return rows[0] ? c.json(shown(rows[0])) : refuse(c, 'not_found');
  });

  routes.post('/:id/accept', callerCheck('conflicts:decide'), async (c) => {
    const conflictId = c.req.param('id');
    if (!isUuid(conflictId)) return refuse(c, 'not_found');
    const body = await jsonBody(c, acceptance);
    if (!body.ok) return body.refusal;
    const decision = { conflictId, reason: body.value.reason ?? null, actor: actorOf(c.get('caller')) };
    const accepted = await acceptConflict(openDatabase(c.get('settings').database), decision);
    if (!accepted.ok) return refuseConflict(c, accepted.refusal);
    return c.json({ status: 'accepted', paymentId: accepted.value.paymentId });
  });

  routes.post('/:id/dismiss', callerCheck('conflicts:decide'), async (c) => {
    const conflictId = c.req.param('id');
    if (!isUuid(conflictId)) return refuse(c, 'not_found');
    const body = await jsonBody(c, dismissal);
    if (!body.ok) return body.refusal;
    const decision = { conflictId, reason: body.value.reason, actor: actorOf(c.get('caller')) };
    const dismissed = await dismissConflict(openDatabase(c.get('settings').database), decision);
    return dismissed.ok ? c.json({ status: 'dismissed' }) : refuseConflict(c, dismissed.refusal);
  });
  return routes;
}
