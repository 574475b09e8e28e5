// Payments as staff and services record and read them, lists newest first. Amounts are decimal strings, metadata keeps
// the digits of its numbers.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { parseInstant } from '../../shared/calendar-date.ts';
import { readExactJson } from '../../shared/exact-json.ts';
import { type PaymentDetails, readPaymentsByReference } from '../../shared/read/payment-history.ts';
import { type PaymentFilter, type PaymentRow, readPayments } from '../../shared/read/payments.ts';
import { refuse, type Scope } from '../app.ts';
import type { createCallerCheck } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { page, pageParameters, validQuery } from './pages.ts';
import { createPaymentRecorder } from './record-payment.ts';
import { createReverser } from './reversals.ts';

const date = z
  .string()
  .check(
    z.refine(
      (text) => /^\d{4}-\d\d-\d\d$/.test(text) && parseInstant(text, 'UTC') !== undefined,
      'expected YYYY-MM-DD',
    ),
  );

export const filterParameters = z.object({
  ...pageParameters,
  /** Calendar dates of the business zone, both included. */
  from: z.optional(date),
  to: z.optional(date),
  channel: z.optional(z.string()),
});

export const withExactMetadata = <Row extends { metadata: string }>(row: Row) => ({
  ...row,
  metadata: readExactJson(row.metadata),
});
const shown = (row: PaymentRow) => withExactMetadata(row);
const shownWhole = (row: PaymentDetails) => ({
  ...withExactMetadata(row),
  history: readExactJson(row.history),
});
const shownWithOthers = (payment: PaymentDetails, others: PaymentDetails[]) => ({
  ...shownWhole(payment),
  others: others.map(shownWhole),
});

const nextDay = (text: string) => {
  const day = new Date(`${text}T00:00:00Z`);
  day.setUTCDate(day.getUTCDate() + 1);
  return day.toISOString().slice(0, 10);
};

/** What the query of a list asks for. */
export const filterOf = (
  by: PaymentFilter['by'],
  { from, to, channel }: { from?: string | undefined; to?: string | undefined; channel?: string | undefined },
  timeZone: string,
): PaymentFilter => ({
  by,
  channel,
  from: from === undefined ? undefined : parseInstant(from, timeZone),
  until: to === undefined ? undefined : parseInstant(nextDay(to), timeZone),
});

export function paymentRoutes(callerCheck: ReturnType<typeof createCallerCheck<ApiSettings>>) {
  const routes = new Hono<Scope<ApiSettings>>();
  const list = (path: string, by: (value: string) => PaymentFilter['by']) =>
    routes.get(path, callerCheck('payments:read'), validQuery(filterParameters), async (c) => {
      const { limit, after, ...asked } = c.req.valid('query');
      const { database, timeZone } = c.get('settings');
      const filter = filterOf(by(c.req.param('key') as string), asked, timeZone);
      const { rows, next } = await readPayments(openDatabase(database), filter, after, limit);
      return c.json(page(rows.map(shown), next));
    });
  list('/loan/:key', (loanAccountNumber) => ({ loanAccountNumber }));
  list('/customer/:key', (cif) => ({ cif }));

  routes.get('/:reference', callerCheck('payments:read'), async (c) => {
    const rows = await readPaymentsByReference(
      openDatabase(c.get('settings').database),
      c.req.param('reference'),
    );
    const [first, ...others] = rows;
    if (!first) return refuse(c, 'not_found');
    return c.json(shownWithOthers(first, others));
  });

  const record = createPaymentRecorder();
  routes.post(
    '/',
    callerCheck('payments:record'),
    record({ path: '/api/v1/payments', show: shownWithOthers }),
  );
  routes.post('/:reference/reversal', callerCheck('payments:reverse'), createReverser());
  return routes;
}
