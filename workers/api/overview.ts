// The figures that a lender asks for first in the morning, and how far every flow has come.

import { Hono } from 'hono';
import { calendarDate } from '../../shared/calendar-date.ts';
import { readOverview } from '../../shared/read/overview.ts';
import { dayBegan } from '../../shared/read/stats.ts';
import type { Scope } from '../app.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { route } from './route.ts';
import { overview } from './shapes/overview.ts';

export const overviewRoutes = new Hono<Scope<ApiSettings>>().get(
  ...route(
    '/overview',
    {
      permission: 'metrics:read',
      summary: 'The figures of the day: received, due, promised, in arrears, and what waits in every flow',
      description: 'The day is the business zone’s. Sums are in the currencies that they are in.',
      tag: 'System',
      answers: { 200: overview },
    },
    async (c) => {
      const { database, timeZone } = c.get('settings');
      const now = new Date();
      const day = calendarDate(now, timeZone);
      return c.json(await readOverview(openDatabase(database), { day, began: dayBegan(now, timeZone) }));
    },
  ),
);
