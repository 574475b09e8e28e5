// Notices: what providers said had changed, and what became of asking them. Staff have one asked again.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { readExactJson } from '../../shared/exact-json.ts';
import { retryNotice } from '../../shared/payments/settle-notices.ts';
import { readNotices } from '../../shared/read/channel-posts.ts';
import { refuse, type Scope } from '../app.ts';
import { actorOf, askedDatabase } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { page, pageParameters } from './pages.ts';
import { route } from './route.ts';
import { notice } from './shapes/operations.ts';
import { byId, pageOf } from './shapes/values.ts';

const listParameters = z.object({
  ...pageParameters,
  status: z.optional(z.enum(['waiting', 'done', 'failed'], 'expected waiting, done or failed')),
  channel: z.optional(z.string()),
});

type NoticeRow = Awaited<ReturnType<typeof readNotices>>['rows'][number];
const shown = (row: NoticeRow) => ({ ...row, payload: readExactJson(row.payload) });

const tag = 'Notices';

export const noticeRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'notices:read',
        summary: 'Notices, newest first',
        tag,
        query: listParameters,
        answers: { 200: pageOf(notice) },
      },
      async (c) => {
        const { limit, after, status, channel } = c.req.valid('query');
        const db = openDatabase(c.get('settings').database);
        const { rows, next } = await readNotices(db, { status, channel }, after, limit);
        return c.json(page(rows.map(shown), next));
      },
    ),
  )
  .get(
    ...route(
      '/:id',
      { permission: 'notices:read', summary: 'One notice', tag, params: byId, answers: { 200: notice } },
      async (c) => {
        const db = openDatabase(c.get('settings').database);
        const { rows } = await readNotices(db, { id: c.req.param('id') }, undefined, 1);
        return rows[0] ? c.json(shown(rows[0])) : refuse(c, 'not_found');
      },
    ),
  )
  .post(
    ...route(
      '/:id/retry',
      {
        permission: 'notices:retry',
        summary: 'Has the provider asked again',
        description: 'It needs no body. A failed notice is tried from the start, a waiting one at once.',
        tag,
        params: byId,
        answers: { 200: z.object({ status: z.literal('waiting') }) },
        problems: ['already_decided'],
      },
      async (c) => {
        const what = { noticeId: c.req.param('id'), actor: actorOf(c.get('caller')) };
        const retried = await retryNotice(askedDatabase(c), what);
        if (retried.ok) return c.json({ status: 'waiting' });
        return retried.refusal.kind === 'unknown_notice'
          ? refuse(c, 'not_found')
          : refuse(c, 'already_decided', { members: { decision: 'done' } });
      },
    ),
  );
