// Conversations with customers: lists, and one with what was said in it.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import type { Shown } from '../../shared/audit/auditing.ts';
import {
  type Conversation,
  conversationStatuses,
  customerOfConversation,
  readConversation,
  readConversations,
} from '../../shared/read/conversations.ts';
import { masked } from '../../shared/read/mask.ts';
import { refuse, type Scope } from '../app.ts';
import { fieldsOf, picked } from '../fields.ts';
import type { ApiSettings } from './env.ts';
import { listParameters, refusePlace } from './pages.ts';
import { route } from './route.ts';
import { conversation, conversationWithLines } from './shapes/conversations.ts';
import { pageOf } from './shapes/values.ts';
import { sightOf } from './sight.ts';

/** Whom the rows of a list are about. */
export const survivorsOf = (limit: number): Shown => ({ id: '"survivingCustomerId"', atMost: limit });

const tag = 'Conversations';

const maskLines = (whole: Conversation): Conversation => ({
  ...masked(whole),
  lines: whole.lines.map(masked),
});

export const conversationRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'customers:read',
        summary: 'Conversations, the one that was active last first',
        tag,
        query: z.object({
          ...listParameters,
          customer: z.optional(z.string().check(z.meta({ description: 'Any name of a customer' }))),
          status: z.optional(z.enum(conversationStatuses, `expected ${conversationStatuses.join(' or ')}`)),
          channel: z.optional(z.string()),
          fields: fieldsOf(conversation),
        }),
        answers: { 200: pageOf(conversation) },
      },
      async (c) => {
        const { after, limit, fields, ...filter } = c.req.valid('query');
        const sight = sightOf(c, survivorsOf(limit));
        const page = await readConversations(sight.db, { filter, after, limit });
        if (!page.ok) return refusePlace(c);
        const data = page.value.rows.map((row) => picked(sight.seen(row, masked), fields));
        return c.json({ data, next: page.value.next ?? null });
      },
    ),
  )
  .get(
    ...route(
      '/:id',
      {
        permission: 'customers:read',
        summary: 'One conversation, with a page of its lines in the order in which they were said',
        description: '`next` is the `after` of the lines that follow. What was erased of a line is null.',
        tag,
        query: z.object({ ...listParameters, fields: fieldsOf(conversationWithLines) }),
        answers: { 200: conversationWithLines },
      },
      async (c) => {
        const { fields, ...asked } = c.req.valid('query');
        const id = c.req.param('id');
        const sight = sightOf(c, { by: id, sql: customerOfConversation });
        const found = await readConversation(sight.db, id, asked);
        if (!found.ok) return refusePlace(c);
        if (!found.value) return refuse(c, 'not_found');
        return c.json(picked(sight.seen(found.value, maskLines), fields));
      },
    ),
  );
