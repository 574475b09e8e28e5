// Loans as staff see them: lists of all and of those that are late, one with its schedule, and the schedule in pages.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { calendarDate } from '../../shared/calendar-date.ts';
import {
  accountSorts,
  accountStatuses,
  readAccounts,
  readDelinquentAccounts,
  readSchedule,
} from '../../shared/read/accounts.ts';
import { bucketNames } from '../../shared/read/aging.ts';
import { borrowersShown, readLoanAccount } from '../../shared/read/loan-account.ts';
import { masked, maskLoanAccount } from '../../shared/read/mask.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { fieldsOf, picked } from '../fields.ts';
import type { ApiSettings } from './env.ts';
import { listParameters, refusePlace } from './pages.ts';
import { route } from './route.ts';
import { account, delinquentAccount, instalment, schedule, wholeAccount } from './shapes/loans.ts';
import { pageOf } from './shapes/values.ts';
import { customersOf, sightOf, unnamedReads } from './sight.ts';

const days = z.pipe(
  z.string().check(
    z.refine((text) => /^\d{1,5}$/.test(text), 'expected 0 to 99999'),
    z.meta({ type: 'integer', minimum: 0, maximum: 99_999 }),
  ),
  z.transform(Number),
);
const status = z.optional(z.enum(accountStatuses, `expected ${accountStatuses.join(', ')}`));

/** Of loans that are late. */
export const delinquentParameters = {
  dpd: z.optional(days),
  status,
};

export const todayOf = (c: RequestContext<ApiSettings>): string =>
  calendarDate(new Date(), c.get('settings').timeZone);

const tag = 'Loans';
const anyName =
  'By any name: the account id or account number, or what belongs to it: the number of its application, the id of a schedule, payment, conversation, notification, statement, approval or case.';

export const accountRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'customers:read',
        summary: 'Loans: the most late, the newest or those with the highest balance first',
        tag,
        query: z.object({
          ...listParameters,
          sort: z._default(z.enum(accountSorts, `expected ${accountSorts.join(', ')}`), 'openedAt'),
          customer: z.optional(z.string().check(z.meta({ description: 'Any name of a customer' }))),
          status,
          bucket: z.optional(z.enum(bucketNames, `expected ${bucketNames.join(', ')}`)),
          dpdFrom: z.optional(days),
          dpdTo: z.optional(days),
          currency: z.optional(z.string().check(z.regex(/^[A-Z]{3}$/, 'expected ISO 4217'))),
          fields: fieldsOf(account),
        }),
        answers: { 200: pageOf(account) },
      },
      async (c) => {
        const { sort, after, limit, fields, ...filter } = c.req.valid('query');
        const sight = sightOf(c, customersOf(limit));
        const page = await readAccounts(sight.db, { filter, sort, after, limit });
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
        summary: 'One loan, with its borrowers, terms and current schedule',
        description: anyName,
        tag,
        query: z.object({ fields: fieldsOf(wholeAccount) }),
        answers: { 200: wholeAccount },
      },
      async (c) => {
        const sight = sightOf(c, borrowersShown);
        const loan = await readLoanAccount(sight.db, c.req.param('id'), todayOf(c));
        if (!loan) return refuse(c, 'not_found');
        return c.json(picked(sight.seen(loan, maskLoanAccount), c.req.valid('query').fields));
      },
    ),
  )
  .get(
    ...route(
      '/:id/schedule',
      {
        permission: 'customers:read',
        summary: "The instalments of a loan's current schedule, in their order",
        description: anyName,
        tag,
        query: z.object({ ...listParameters, fields: fieldsOf(instalment) }),
        answers: { 200: schedule },
      },
      async (c) => {
        const { fields, ...asked } = c.req.valid('query');
        const db = unnamedReads(c);
        const page = await readSchedule(db, c.req.param('id'), { ...asked, today: todayOf(c) });
        if (!page.ok) return refusePlace(c);
        if (!page.value) return refuse(c, 'not_found');
        const { accountId, scheduleId, rows, next } = page.value;
        const data = rows.map((row) => picked(row, fields));
        return c.json({ accountId, scheduleId, data, next: next ?? null });
      },
    ),
  );

export const loanRoutes = new Hono<Scope<ApiSettings>>().get(
  ...route(
    '/delinquent',
    {
      permission: 'customers:read',
      summary: 'Loans that are late by `dpd` days or more, the most late first',
      description: 'By one day unless told. Without `status` those that are over are left out.',
      tag,
      query: z.object({ ...listParameters, ...delinquentParameters, fields: fieldsOf(delinquentAccount) }),
      answers: { 200: pageOf(delinquentAccount) },
    },
    async (c) => {
      const { dpd = 1, fields, ...asked } = c.req.valid('query');
      const sight = sightOf(c, customersOf(asked.limit));
      const page = await readDelinquentAccounts(sight.db, { ...asked, dpd, today: todayOf(c) });
      if (!page.ok) return refusePlace(c);
      const data = page.value.rows.map((row) => picked(sight.seen(row, masked), fields));
      return c.json({ data, next: page.value.next ?? null });
    },
  ),
);
