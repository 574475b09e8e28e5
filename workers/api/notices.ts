// Notices: what providers said had changed, and what became of asking them. Staff have one asked again.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { readExactJson } from '../../shared/exact-json.ts';
import { isUuid } from '../../shared/id.ts';
import { retryNotice } from '../../shared/payments/settle-notices.ts';
import { readNotices } from '../../shared/read/channel-posts.ts';
import { refuse, type Scope } from '../app.ts';
import { actorOf, type createCallerCheck } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { page, pageParameters, validQuery } from './pages.ts';

const listParameters = z.object({
  ...pageParameters,
  status: z.optional(z.enum(['waiting', 'done', 'failed'], 'expected waiting, done or failed')),
  channel: z.optional(z.string()),
});

type NoticeRow = Awaited<ReturnType<typeof readNotices>>['rows'][number];
const shown = (row: NoticeRow) => ({ ...row, payload: readExactJson(row.payload) });

export function noticeRoutes(callerCheck: ReturnType<typeof createCallerCheck<ApiSettings>>) {
  const routes = new Hono<Scope<ApiSettings>>();

  routes.get('/', callerCheck('notices:read'), validQuery(listParameters), async (c) => {
    const { limit, after, status, channel } = c.req.valid('query');
    const db = openDatabase(c.get('settings').database);
    const { rows, next } = await readNotices(db, { status, channel }, after, limit);
    return c.json(page(rows.map(shown), next));
  });

  routes.get('/:id', callerCheck('notices:read'), async (c) => {
    const id = c.req.param('id');
    if (!isUuid(id)) return refuse(c, 'not_found');
    const { rows } = await readNotices(openDatabase(c.get('settings').database), { id }, undefined, 1);
    return rows[0] ? c.json(shown(rows[0])) : refuse(c, 'not_found');
  });

  routes.post('/:id/retry', callerCheck('notices:retry'), async (c) => {
    const noticeId = c.req.param('id');
    if (!isUuid(noticeId)) return refuse(c, 'not_found');
    const db = openDatabase(c.get('settings').database);
    const retried = await retryNotice(db, { noticeId, actor: actorOf(c.get('caller')) });
    if (retried.ok) return c.json({ status: 'waiting' });
    return retried.refusal.kind === 'unknown_notice'
      ? refuse(c, 'not_found')
      : refuse(c, 'already_decided', { members: { decision: 'done' } });
  });
  return routes;
}
