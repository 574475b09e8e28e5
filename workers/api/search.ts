// One box for everything: whatever somebody has at hand leads to customers, loans, payments, conversations and
// applications.

import { type Context, Hono } from 'hono';
import * as z from 'zod/mini';
import { masked } from '../../shared/read/mask.ts';
import { searchEverything, searchLengths } from '../../shared/read/search.ts';
import type { Scope } from '../app.ts';
import { fieldsOf, picked } from '../fields.ts';
import type { ApiSettings } from './env.ts';
import { bestOf, refuseQuery } from './pages.ts';
import { route } from './route.ts';
import { foundThing } from './shapes/customer.ts';
import { pageOf } from './shapes/values.ts';
import { customersOf, sightOf } from './sight.ts';

const { shortest: minLength, longest: maxLength } = searchLengths;

/** What is looked for; the search itself says whether it is too short. */
export const searchText = z.string().check(z.meta({ minLength, maxLength }));
export const notSearched = (c: Context) =>
  refuseQuery(c, ['q', `expected ${minLength} to ${maxLength} characters`]);

export const searchRoutes = new Hono<Scope<ApiSettings>>().get(
  ...route(
    '/',
    {
      permission: 'customers:read',
      summary: 'Everything that `q` may mean, best first',
      description:
        'Ids and numbers in whatever letters, their beginnings, and names with typing errors. Who sees names masked finds by names, numbers and addresses only whom `q` names whole.',
      tag: 'Search',
      query: z.object({ q: searchText, ...bestOf, fields: fieldsOf(foundThing) }),
      answers: { 200: pageOf(foundThing) },
    },
    async (c) => {
      const { q, limit, fields } = c.req.valid('query');
      const sight = sightOf(c, customersOf(limit));
      const found = await searchEverything(sight.db, { q, limit, masked: sight.masked });
      if (!found.ok) return notSearched(c);
      return c.json({ data: found.value.map((row) => picked(sight.seen(row, masked), fields)), next: null });
    },
  ),
);
