// Customers as staff see them: one, by whatever name is at hand.

import { Hono } from 'hono';
import { calendarDate } from '../../shared/calendar-date.ts';
import { readCustomer } from '../../shared/read/customer.ts';
import { refuse, type Scope } from '../app.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { route } from './route.ts';
import { customer as shape } from './shapes/customer.ts';

export const customerRoutes = new Hono<Scope<ApiSettings>>().get(
  ...route(
    '/:id',
    {
      permission: 'customers:read',
      summary: 'One customer, with all that is theirs',
      description:
        'By any name: the customer id, the CIF or another linked identifier, or what belongs to them: an account id or account number, the number of an application, the id of a conversation, notification, statement, approval or case.',
      tag: 'Customers',
      answers: { 200: shape },
    },
    async (c) => {
      const { database, timeZone } = c.get('settings');
      const today = calendarDate(new Date(), timeZone);
      const customer = await readCustomer(openDatabase(database), c.req.param('id'), today);
      if (!customer) return refuse(c, 'not_found');
      c.header('cache-control', 'no-store');
      return c.json(customer);
    },
  ),
);
