// Conflicts: a reference that came again with other facts. Staff see both versions and decide.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { maskCardText } from '../../shared/payments/mask-card-data.ts';
import {
  acceptConflict,
  type ConflictRefusal,
  dismissConflict,
} from '../../shared/payments/resolve-conflict.ts';
import { readConflicts } from '../../shared/read/payments.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { actorOf, askedDatabase } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { page, pageParameters } from './pages.ts';
import { withExactMetadata } from './payments.ts';
import { reason } from './reason.ts';
import { route } from './route.ts';
import { conflict } from './shapes/payments.ts';
import { byId, pageOf, uuid } from './shapes/values.ts';

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

const refuseConflict = (c: RequestContext<ApiSettings>, refusal: ConflictRefusal) =>
  refusal.kind === 'unknown_conflict'
    ? refuse(c, 'not_found')
    : refuse(c, 'already_decided', { members: { decision: refusal.status } });

const tag = 'Conflicts';

export const conflictRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'payments:read',
        summary: 'Conflicts, newest first by when they were first seen',
        tag,
        query: listParameters,
        answers: { 200: pageOf(conflict) },
      },
      async (c) => {
        const { limit, after, status, reference } = c.req.valid('query');
        const db = openDatabase(c.get('settings').database);
        const { rows, next } = await readConflicts(db, { status, referenceNumber: reference }, after, limit);
        return c.json(page(rows.map(shown), next));
      },
    ),
  )
  .get(
    ...route(
      '/:id',
      {
        permission: 'payments:read',
        summary: 'One conflict, both versions whole',
        tag,
        params: byId,
        answers: { 200: conflict },
      },
      async (c) => {
        const db = openDatabase(c.get('settings').database);
        const { rows } = await readConflicts(db, { id: c.req.param('id') }, undefined, 1);
        return rows[0] ? c.json(shown(rows[0])) : refuse(c, 'not_found');
      },
    ),
  )
  .post(
    ...route(
      '/:id/accept',
      {
        permission: 'conflicts:decide',
        summary: 'The later version becomes a payment of its own',
        tag,
        params: byId,
        body: acceptance,
        answers: { 200: z.object({ status: z.literal('accepted'), paymentId: uuid }) },
        problems: ['already_decided'],
      },
      async (c) => {
        const { reason = null } = c.req.valid('json');
        const decision = { conflictId: c.req.param('id'), reason, actor: actorOf(c.get('caller')) };
        const accepted = await acceptConflict(askedDatabase(c), decision);
        if (!accepted.ok) return refuseConflict(c, accepted.refusal);
        return c.json({ status: 'accepted', paymentId: accepted.value.paymentId });
      },
    ),
  )
  .post(
    ...route(
      '/:id/dismiss',
      {
        permission: 'conflicts:decide',
        summary: 'Nothing is booked; the conflict stays on record with the reason',
        tag,
        params: byId,
        body: dismissal,
        answers: { 200: z.object({ status: z.literal('dismissed') }) },
        problems: ['already_decided'],
      },
      async (c) => {
        const { reason } = c.req.valid('json');
        const decision = { conflictId: c.req.param('id'), reason, actor: actorOf(c.get('caller')) };
        const dismissed = await dismissConflict(askedDatabase(c), decision);
        return dismissed.ok ? c.json({ status: 'dismissed' }) : refuseConflict(c, dismissed.refusal);
      },
    ),
  );
