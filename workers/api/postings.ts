// Postings: where payments are in the ledger, and what is held. Staff say which loan a held payment is for, and put one
// that was misapplied on other loans.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { type MatchRefusal, matchPosting } from '../../shared/posting/match-posting.ts';
import { type MoveRefusal, movePayment } from '../../shared/posting/move-payment.ts';
import { readPostings, readPostingsOf } from '../../shared/read/postings.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { actorOf, askedDatabase } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { boundKey, keyHeader } from './once.ts';
import { page, pageParameters } from './pages.ts';
import { route } from './route.ts';
import { match, move, moved, posting as shape, state } from './shapes/postings.ts';
import { idempotencyKey } from './shapes/requests.ts';
import { byId, pageOf, uuid } from './shapes/values.ts';

type C = RequestContext<ApiSettings>;

const tag = 'Postings';

const listParameters = z.object({
  ...pageParameters,
  state: z.optional(state),
  payment: z.optional(uuid),
  account: z.optional(z.string()),
});

const unknownLoan = (c: C, field: string) =>
  refuse(c, 'invalid_request', {
    errors: [{ field, code: 'unknown', message: 'expected a name of a loan that is known' }],
  });

function refuseMatch(c: C, refusal: MatchRefusal): Response {
  switch (refusal.kind) {
    case 'unknown_posting':
      return refuse(c, 'not_found');
    case 'unknown_loan':
      return unknownLoan(c, 'accountId');
    case 'key_reused':
      return refuse(c, 'idempotency_key_reused');
    case 'not_held':
      return refuse(c, 'posting_not_held', { members: { state: refusal.state } });
  }
}

function refuseMove(c: C, refusal: MoveRefusal): Response {
  switch (refusal.kind) {
    case 'unknown_payment':
      return refuse(c, 'not_found');
    case 'unknown_loan':
      return unknownLoan(c, `to[${refusal.index}].accountId`);
    case 'key_reused':
      return refuse(c, 'idempotency_key_reused');
    case 'sum_differs': {
      const { posted, currency } = refusal;
      return refuse(c, 'payment_not_movable', {
        members: { because: refusal.kind, postedAmount: posted, currency },
      });
    }
    case 'unsettled':
    case 'nothing_posted':
    case 'too_many_decimals':
      return refuse(c, 'payment_not_movable', { members: { because: refusal.kind } });
  }
}

export const postingRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'postings:read',
        summary: 'Postings of payments and their reversals, newest first',
        description: '`account` is any name of a loan.',
        tag,
        query: listParameters,
        answers: { 200: pageOf(shape) },
      },
      async (c) => {
        const { limit, after, state, payment, account } = c.req.valid('query');
        const db = openDatabase(c.get('settings').database);
        const { rows, next } = await readPostings(db, { state, paymentId: payment, account }, after, limit);
        return c.json(page(rows, next));
      },
    ),
  )
  .get(
    ...route(
      '/:id',
      { permission: 'postings:read', summary: 'One posting', tag, params: byId, answers: { 200: shape } },
      async (c) => {
        const db = openDatabase(c.get('settings').database);
        const { rows } = await readPostings(db, { id: c.req.param('id') }, undefined, 1);
        return rows[0] ? c.json(rows[0]) : refuse(c, 'not_found');
      },
    ),
  )
  .post(
    ...route(
      '/:id/match',
      {
        permission: 'postings:match',
        summary: 'Says which loan a held payment is for; it is then posted there',
        description: '`accountId` is any name of the loan.',
        tag,
        params: byId,
        headers: idempotencyKey,
        body: match,
        answers: { 200: shape },
        problems: ['posting_not_held', 'idempotency_key_reused'],
      },
      async (c) => {
        const key = keyHeader(c);
        if (!key.ok) return key.refusal;
        const id = c.req.param('id');
        const asked = c.req.valid('json');
        const bound = await boundKey(c, key.value, asked);
        const db = askedDatabase(c);
        const matched = await matchPosting(db, { id, ...asked, actor: actorOf(c.get('caller')) }, bound);
        if (!matched.ok) return refuseMatch(c, matched.refusal);
        if (matched.value.repeated) c.header('idempotency-replayed', 'true');
        const { rows } = await readPostings(db, { id }, undefined, 1);
        return rows[0] ? c.json(rows[0]) : refuse(c, 'not_found');
      },
    ),
  );

/** Under a payment's id. */
export const moveRoutes = new Hono<Scope<ApiSettings>>().post(
  ...route(
    '/:id/move',
    {
      permission: 'postings:move',
      summary: 'Puts a posted payment on other loans, whole or in parts',
      description:
        '`to` says where all that is posted of it is to be: its amounts add up to that. What is too much where it is now is reversed, and then posted where it is missing, as of the day of the payment.',
      tag,
      params: byId,
      headers: idempotencyKey,
      body: move,
      answers: { 200: moved },
      problems: ['payment_not_movable', 'idempotency_key_reused'],
    },
    async (c) => {
      const key = keyHeader(c);
      if (!key.ok) return key.refusal;
      const paymentId = c.req.param('id');
      const asked = c.req.valid('json');
      const bound = await boundKey(c, key.value, asked);
      const db = askedDatabase(c);
      const done = await movePayment(db, { paymentId, ...asked, actor: actorOf(c.get('caller')) }, bound);
      if (!done.ok) return refuseMove(c, done.refusal);
      if (done.value.repeated) c.header('idempotency-replayed', 'true');
      const { moveId } = done.value;
      return c.json({ moveId, paymentId, postings: await readPostingsOf(db, paymentId) });
    },
  ),
);
