// Customers as staff see them: a list, a search, one by whatever name is at hand, and what happened with them.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { calendarDate } from '../../shared/calendar-date.ts';
import { readCustomer } from '../../shared/read/customer.ts';
import { type CustomerRow, customerSorts, readCustomers } from '../../shared/read/customers.ts';
import { maskCustomer, masked } from '../../shared/read/mask.ts';
import { customerNamed } from '../../shared/read/resolve.ts';
import { type CustomerFound, searchCustomers } from '../../shared/read/search.ts';
import { readTimeline } from '../../shared/read/timeline.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { fieldsOf, picked } from '../fields.ts';
import type { ApiSettings } from './env.ts';
import { listParameters, refusePlace, refuseQuery } from './pages.ts';
import { route } from './route.ts';
import { notSearched, searchText } from './search.ts';
import { customer, listedCustomer, timelineEntry } from './shapes/customer.ts';
import { pageOf, truth } from './shapes/values.ts';
import { customersOf, type Sight, sightOf } from './sight.ts';

const tag = 'Customers';
const anyName =
  'By any name: the customer id, the CIF or another linked identifier, or what belongs to them: an account id or account number, the number of an application, the id of a conversation, notification, statement, approval or case.';

const listQuery = z.object({
  ...listParameters,
  q: z.optional(searchText),
  sort: z.optional(
    z
      .enum(customerSorts, `expected ${customerSorts.join(' or ')}`)
      .check(z.meta({ description: 'By name, or whom something was told of last; newest unless told' })),
  ),
  verified: z.optional(truth),
  fields: fieldsOf(listedCustomer),
});
type ListQuery = z.output<typeof listQuery>;

/** Those that are asked for, or why not. */
async function rowsOf(
  c: RequestContext<ApiSettings>,
  { db, masked: isMasked }: Sight,
  { q, sort, verified, after, limit }: ListQuery,
): Promise<{ rows: Array<CustomerRow | CustomerFound>; next?: string | undefined } | Response> {
  if (q !== undefined) {
    const others = Object.entries({ sort, verified, after }).filter(([, value]) => value !== undefined);
    if (others.length > 0) {
      return refuseQuery(c, ...others.map(([name]) => [name, 'expected without q'] as const));
    }
    const found = await searchCustomers(db, { q, limit, masked: isMasked });
    return found.ok ? { rows: found.value } : notSearched(c);
  }
  // Their order, and where a page of it ends, would tell the names.
  if (isMasked && sort === 'name') return refuseQuery(c, ['sort', 'expected newest, as names are masked']);
  const page = await readCustomers(db, { filter: { verified }, sort: sort ?? 'newest', after, limit });
  return page.ok ? page.value : refusePlace(c);
}

export const customerRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'customers:read',
        summary: 'Customers, or those who are found by `q`, best first',
        description:
          '`q` is a name, with typing errors, a telephone number, an e-mail address, a customer id or other identifier, an account number or a payment reference; what is found is at most 100 and has no pages. Who sees names masked finds by names, numbers and addresses only whom `q` names whole, and has no list by name.',
        tag,
        query: listQuery,
        answers: { 200: pageOf(listedCustomer) },
      },
      async (c) => {
        const { fields, ...asked } = c.req.valid('query');
        const sight = sightOf(c, customersOf(asked.limit));
        const page = await rowsOf(c, sight, asked);
        if (page instanceof Response) return page;
        const data = page.rows.map((row) => picked(sight.seen(row, masked), fields));
        return c.json({ data, next: page.next ?? null });
      },
    ),
  )
  .get(
    ...route(
      '/:id',
      {
        permission: 'customers:read',
        summary: 'One customer, with all that is theirs',
        description: anyName,
        tag,
        query: z.object({ fields: fieldsOf(customer) }),
        answers: { 200: customer },
      },
      async (c) => {
        const name = c.req.param('id');
        const sight = sightOf(c, { by: name, sql: customerNamed });
        const today = calendarDate(new Date(), c.get('settings').timeZone);
        const found = await readCustomer(sight.db, name, today);
        if (!found) return refuse(c, 'not_found');
        return c.json(picked(sight.seen(found, maskCustomer), c.req.valid('query').fields));
      },
    ),
  )
  .get(
    ...route(
      '/:id/timeline',
      {
        permission: 'customers:read',
        summary: 'All that happened with a customer, newest first',
        description: anyName,
        tag,
        query: z.object({ ...listParameters, fields: fieldsOf(timelineEntry) }),
        answers: { 200: pageOf(timelineEntry) },
      },
      async (c) => {
        const name = c.req.param('id');
        const { fields, ...asked } = c.req.valid('query');
        const sight = sightOf(c, { by: name, sql: customerNamed });
        const { business: place } = c.get('settings');
        const timeline = await readTimeline(sight.db, name, { ...asked, place });
        if (!timeline.ok) return refusePlace(c);
        if (!timeline.value) return refuse(c, 'not_found');
        const { rows, next } = timeline.value;
        return c.json({
          data: rows.map((row) => picked(sight.seen(row, masked), fields)),
          next: next ?? null,
        });
      },
    ),
  );
