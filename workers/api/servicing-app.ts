// Customers, their loans and conversations, and searches under the paths of the servicing app: bare objects and arrays. The
// same reads, permissions and masks as under /api/v1.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { readConversations } from '../../shared/read/conversations.ts';
import { masked } from '../../shared/read/mask.ts';
import { searchCustomers, searchEverything, type ThingKind } from '../../shared/read/search.ts';
import type { RequestContext, Scope } from '../app.ts';
import { survivorsOf } from './conversations.ts';
import type { ApiSettings } from './env.ts';
import { bestOf, linkNext, refusePlace } from './pages.ts';
import { route } from './route.ts';
import { notSearched, searchText } from './search.ts';
import { conversation } from './shapes/conversations.ts';
import { listedCustomer } from './shapes/customer.ts';
import {
  unversionedConversationFound,
  unversionedCustomer,
  unversionedLoan,
  unversionedLoanFound,
} from './shapes/unversioned.ts';
import { customersOf, sightOf } from './sight.ts';
import { loansOf, oneCustomer, paged } from './unversioned-customers.ts';

async function found<Row>(
  c: RequestContext<ApiSettings>,
  { q, limit }: { q: string; limit: number },
  kind: ThingKind,
  shown: (thing: { id: string; number: string | null; of: Owner }) => Row,
): Promise<Response> {
  const sight = sightOf(c, customersOf(limit));
  const things = await searchEverything(sight.db, { q, limit, masked: sight.masked, kind });
  if (!things.ok) return notSearched(c);
  const rows = things.value.map((thing) => sight.seen(thing, masked));
  return c.json(
    rows.map(({ id, number, status, customerId, fullName }) =>
      shown({ id, number, of: { status, customerId, fullName } }),
    ),
  );
}
interface Owner {
  status: string | null;
  customerId: string | null;
  fullName: string | null;
}

const common = { permission: 'customers:read', tag: 'Servicing app, without a version' } as const;
const searched = { query: z.object({ q: searchText, ...bestOf }) } as const;

export const servicingAppRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/customer/:customerId',
      { ...common, summary: 'A customer', answers: { 200: unversionedCustomer } },
      (c) => oneCustomer(c, c.req.param('customerId')),
    ),
  )
  .get(
    ...route(
      '/customer/:customerId/loan-accounts',
      {
        ...common,
        ...paged,
        summary: 'Loans of a customer, newest first',
        answers: { 200: z.array(unversionedLoan) },
      },
      (c) => loansOf(c, c.req.param('customerId'), c.req.valid('query')),
    ),
  )
  .get(
    ...route(
      '/customer/:customerId/conversations',
      {
        ...common,
        ...paged,
        summary: 'Conversations of a customer, the one that was active last first',
        answers: { 200: z.array(conversation) },
      },
      async (c) => {
        const { after, limit } = c.req.valid('query');
        const sight = sightOf(c, survivorsOf(limit));
        const filter = { customer: c.req.param('customerId') };
        const page = await readConversations(sight.db, { filter, after, limit });
        if (!page.ok) return refusePlace(c);
        linkNext(c, page.value.next);
        return c.json(page.value.rows.map((row) => sight.seen(row, masked)));
      },
    ),
  )
  .get(
    ...route(
      '/search/customers',
      {
        ...common,
        ...searched,
        summary: 'Customers, best first',
        answers: { 200: z.array(listedCustomer) },
      },
      async (c) => {
        const asked = c.req.valid('query');
        const sight = sightOf(c, customersOf(asked.limit));
        const customers = await searchCustomers(sight.db, { ...asked, masked: sight.masked });
        if (!customers.ok) return notSearched(c);
        return c.json(customers.value.map((row) => sight.seen(row, masked)));
      },
    ),
  )
  .get(
    ...route(
      '/search/loan-accounts',
      {
        ...common,
        ...searched,
        summary: 'Loans by their id or number, best first',
        answers: { 200: z.array(unversionedLoanFound) },
      },
      (c) =>
        found(c, c.req.valid('query'), 'account', ({ id, number, of }) => ({
          ...{ accountId: id, accountNumber: number, ...of },
        })),
    ),
  )
  .get(
    ...route(
      '/search/conversations',
      {
        ...common,
        ...searched,
        summary: 'Conversations by their id, best first',
        answers: { 200: z.array(unversionedConversationFound) },
      },
      (c) => found(c, c.req.valid('query'), 'conversation', ({ id, of }) => ({ conversationId: id, ...of })),
    ),
  );
