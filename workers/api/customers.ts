// Customers as staff see them: one, by whatever name is at hand.

import { Hono } from 'hono';
import { calendarDate } from '../../shared/calendar-date.ts';
import { readCustomer } from '../../shared/read/customer.ts';
import { refuse, type Scope } from '../app.ts';
import type { createCallerCheck } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';

export function customerRoutes(callerCheck: ReturnType<typeof createCallerCheck<ApiSettings>>) {
  const routes = new Hono<Scope<ApiSettings>>();
  routes.get('/:id', callerCheck('customers:read'), async (c) => {
    const { database, timeZone } = c.get('settings');
    const today = calendarDate(new Date(), timeZone);
    const customer = await readCustomer(openDatabase(database), c.req.param('id'), today);
    if (!customer) return refuse(c, 'not_found');
    c.header('cache-control', 'no-store');
    return c.json(customer);
  });
  return routes;
}
