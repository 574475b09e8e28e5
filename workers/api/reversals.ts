// Reversals: staff or a service takes a payment back, in part or whole, and sees what became of those of every channel.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import type { Reversed } from '../../shared/payments/reversal.ts';
import { reversePaymentOnce } from '../../shared/payments/reverse-payment-once.ts';
import {
  createReversalRequestReader,
  type ReadReversalRequest,
} from '../../shared/payments/staff-request.ts';
import { readReversals, readReversedState } from '../../shared/read/reversals.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { actorOf, askedDatabase } from '../caller.ts';
import { openDatabase } from '../database.ts';
import { exactJsonBody } from '../json-body.ts';
import type { ApiSettings } from './env.ts';
import { type Answer, answerOnce, boundKey, keyHeader } from './once.ts';
import { page, pageParameters } from './pages.ts';
import { route } from './route.ts';
import { reversal as shape } from './shapes/payments.ts';
import { byId, pageOf } from './shapes/values.ts';

const listParameters = z.object({
  ...pageParameters,
  status: z.optional(z.enum(['held', 'applied', 'refused'], 'expected held, applied or refused')),
  reference: z.optional(z.string()),
});

/** A duplicate is answered 200, whatever the first one has come to. */
const statuses = { applied: 201, held: 202, duplicate: 200 } as const;

/** `:reference` is one that can be. */
export function createReverser() {
  let kept: { settings: ApiSettings; readReversal: ReadReversalRequest } | undefined;

  return async (c: RequestContext<ApiSettings>): Promise<Response> => {
    const settings = c.get('settings');
    if (kept?.settings !== settings) {
      kept = { settings, readReversal: createReversalRequestReader(settings.business) };
    }
    const referenceNumber = c.req.param('reference') ?? '';
    const key = keyHeader(c);
    if (!key.ok) return key.refusal;
    const json = await exactJsonBody(c);
    if (!json.ok) return json.refusal;
    const reversal = kept.readReversal(
      json.value,
      { referenceNumber, idempotencyKey: key.value },
      { actor: actorOf(c.get('caller')), at: new Date() },
    );
    if (!reversal.ok) return refuse(c, 'invalid_request', { errors: reversal.refusal });

    const db = askedDatabase(c);
    // When it was asked for does not make another request of it.
    const { occurredAt: _, ...understood } = reversal.value;
    const bound = await boundKey(c, key.value, understood);
    const once = await reversePaymentOnce(db, reversal.value, bound);
    return answerOnce(c, db, bound, once, async (reversed: Reversed): Promise<Answer> => {
      const { outcome, reversalId, paymentId } = reversed;
      c.get('log').info('reversal', { outcome, reversal_id: reversalId, payment_id: paymentId });
      if (outcome === 'conflict') {
        return { refusal: 'reversal_conflict', details: { members: { reversalId, paymentId } } };
      }
      if (outcome === 'refused') {
        const state = await readReversedState(db, reversal.value);
        const { leftAmount = null, currency = null } = state ?? {};
        const members = { paymentId, reason: reversed.why, leftAmount, currency };
        return { refusal: 'reversal_refused', details: { members } };
      }
      const [found, payment] = await Promise.all([
        readReversals(db, { id: reversalId }, undefined, 1),
        readReversedState(db, reversal.value),
      ]);
      return {
        status: statuses[outcome],
        location: `/api/v1/payment-reversals/${reversalId}`,
        body: JSON.stringify({ ...found.rows[0], payment: payment ?? null }),
      };
    });
  };
}

const tag = 'Reversals';

export const reversalRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'payments:read',
        summary: 'Reversals of staff and of channels, newest first',
        tag,
        query: listParameters,
        answers: { 200: pageOf(shape) },
      },
      async (c) => {
        const { limit, after, status, reference } = c.req.valid('query');
        const db = openDatabase(c.get('settings').database);
        const { rows, next } = await readReversals(db, { status, referenceNumber: reference }, after, limit);
        return c.json(page(rows, next));
      },
    ),
  )
  .get(
    ...route(
      '/:id',
      { permission: 'payments:read', summary: 'One reversal', tag, params: byId, answers: { 200: shape } },
      async (c) => {
        const db = openDatabase(c.get('settings').database);
        const { rows } = await readReversals(db, { id: c.req.param('id') }, undefined, 1);
        return rows[0] ? c.json(rows[0]) : refuse(c, 'not_found');
      },
    ),
  );
