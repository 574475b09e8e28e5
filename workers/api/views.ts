// Saved views: everybody keeps their own, and sees what others share with them.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { readView, readViews } from '../../shared/views/read-views.ts';
import { changeView, removeView, type SaveViewRefusal, saveView } from '../../shared/views/save-view.ts';
import type { View } from '../../shared/views/view.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { askedDatabase } from '../caller.ts';
import { openDatabase } from '../database.ts';
import { changedMeanwhile, expectedVersion, ifMatch, showVersion } from '../versioned.ts';
import type { ApiSettings } from './env.ts';
import { listParameters, refusePlace } from './pages.ts';
import { route } from './route.ts';
import { byId, pageOf } from './shapes/values.ts';
import { view as shape, viewContent, viewList } from './shapes/views.ts';

type C = RequestContext<ApiSettings>;

const tag = 'Views';
const common = { permission: 'settled', tag } as const;
const versioned = ['version_required', 'changed_meanwhile'] as const;

function answerView(c: C, view: View, status: 200 | 201 = 200) {
  showVersion(c, view.version);
  return c.json(view, status);
}

function refuseView(c: C, refusal: SaveViewRefusal, wanted?: object): Response {
  const faulty = (field: string, message: string) =>
    refuse(c, 'invalid_request', { errors: [{ field, code: 'invalid', message }] });
  switch (refusal.kind) {
    case 'unknown_view':
      return refuse(c, 'not_found');
    case 'unknown_list':
      return faulty('list', 'expected a list that the caller may read');
    case 'sharing':
      return faulty('sharedWith', 'expected those with whom the caller may share');
    case 'changed_meanwhile':
      return changedMeanwhile(c, refusal.present, wanted);
    default:
      return refuse(c, refusal.kind);
  }
}

export const viewRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/',
      {
        ...common,
        summary: "The caller's saved views and those shared with them, by name",
        query: z.object({
          ...listParameters,
          list: z.optional(viewList),
        }),
        answers: { 200: pageOf(shape) },
      },
      async (c) => {
        const db = openDatabase(c.get('settings').database);
        const read = await readViews(db, c.get('caller'), c.req.valid('query'));
        if (!read.ok) return refusePlace(c);
        return c.json({ data: read.value.rows, next: read.value.next ?? null });
      },
    ),
  )
  .post(
    ...route(
      '/',
      {
        ...common,
        summary: 'Saves a view under a name of its own',
        description: 'Sharing it needs `views:share`.',
        body: viewContent,
        answers: { 201: shape },
        problems: ['name_taken', 'limit_reached'],
      },
      async (c) => {
        const saved = await saveView(askedDatabase(c), c.get('caller'), c.req.valid('json'));
        if (!saved.ok) return refuseView(c, saved.refusal);
        c.header('location', `/api/v1/views/${saved.value.id}`);
        return answerView(c, saved.value, 201);
      },
    ),
  )
  .get(
    ...route(
      '/:id',
      { ...common, summary: 'One saved view', params: byId, answers: { 200: shape } },
      async (c) => {
        const view = await readView(
          openDatabase(c.get('settings').database),
          c.get('caller'),
          c.req.param('id'),
        );
        return view ? answerView(c, view) : refuse(c, 'not_found');
      },
    ),
  )
  .put(
    ...route(
      '/:id',
      {
        ...common,
        summary: 'Changes a view of the caller as a whole, from the version that If-Match names',
        params: byId,
        headers: ifMatch,
        body: viewContent,
        answers: { 200: shape },
        problems: ['name_taken', ...versioned],
      },
      async (c) => {
        const version = expectedVersion(c);
        if (!version.ok) return version.refusal;
        const wanted = c.req.valid('json');
        const place = { id: c.req.param('id'), version: version.value };
        const changed = await changeView(askedDatabase(c), c.get('caller'), place, wanted);
        return changed.ok ? answerView(c, changed.value) : refuseView(c, changed.refusal, wanted);
      },
    ),
  )
  .delete(
    ...route(
      '/:id',
      {
        ...common,
        summary: 'Removes a view, from the version that If-Match names',
        description: 'Whoever may share with everybody removes what others share, too.',
        params: byId,
        headers: ifMatch,
        answers: { 204: null },
        problems: versioned,
      },
      async (c) => {
        const version = expectedVersion(c);
        if (!version.ok) return version.refusal;
        const place = { id: c.req.param('id'), version: version.value };
        const removed = await removeView(askedDatabase(c), c.get('caller'), place);
        return removed.ok ? c.body(null, 204) : refuseView(c, removed.refusal);
      },
    ),
  );
