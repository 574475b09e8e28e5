// Payments as staff and services record and read them, lists newest first. Amounts are decimal strings, metadata keeps
// the digits of its numbers.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { parseInstant } from '../../shared/calendar-date.ts';
import { readExactJson } from '../../shared/exact-json.ts';
import { isReferenceNumber } from '../../shared/payments/payment.ts';
import { type PaymentDetails, readPaymentsByReference } from '../../shared/read/payment-history.ts';
import { type PaymentFilter, type PaymentRow, readPayments } from '../../shared/read/payments.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { page, pageParameters } from './pages.ts';
import { createPaymentRecorder } from './record-payment.ts';
import { createReverser } from './reversals.ts';
import { route } from './route.ts';
import { exportedPayment, payment, paymentWithOthers, reversalWithPayment } from './shapes/payments.ts';
import { idempotencyKey, paymentRequest, reversalRequest } from './shapes/requests.ts';
import { pageOf } from './shapes/values.ts';

const date = z.string().check(
  z.refine(
    (text) => /^\d{4}-\d\d-\d\d$/.test(text) && parseInstant(text, 'UTC') !== undefined,
    'expected YYYY-MM-DD',
  ),
  z.meta({ format: 'date' }),
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
  postings: JSON.parse(row.postings),
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

type ListQuery = z.output<typeof filterParameters>;

async function list(c: RequestContext<ApiSettings>, by: PaymentFilter['by'], query: ListQuery) {
  const { limit, after, ...asked } = query;
  const { database, timeZone } = c.get('settings');
  const filter = filterOf(by, asked, timeZone);
  const { rows, next } = await readPayments(openDatabase(database), filter, after, limit);
  return c.json(page(rows.map(shown), next));
}

const tag = 'Payments';
const lists = {
  permission: 'payments:read',
  tag,
  query: filterParameters,
  answers: { 200: pageOf(payment) },
} as const;
const byReference = z.object({
  reference: z.string().check(z.refine(isReferenceNumber), z.meta({ minLength: 1, maxLength: 255 })),
});

export const paymentRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/loan/:accountNumber',
      { ...lists, summary: 'Payments of a loan, newest first by payment date' },
      (c) => list(c, { loanAccountNumber: c.req.param('accountNumber') }, c.req.valid('query')),
    ),
  )
  .get(
    ...route(
      '/customer/:cif',
      { ...lists, summary: 'Payments of a customer, newest first by payment date' },
      (c) => list(c, { cif: c.req.param('cif') }, c.req.valid('query')),
    ),
  )
  .get(
    ...route(
      '/:reference',
      {
        permission: 'payments:read',
        summary: 'The payment with this reference number, with all that became of it',
        description: '`others` has further payments that bear it.',
        tag,
        answers: { 200: paymentWithOthers },
      },
      async (c) => {
        const db = openDatabase(c.get('settings').database);
        const [first, ...others] = await readPaymentsByReference(db, c.req.param('reference'));
        if (!first) return refuse(c, 'not_found');
        return c.json(shownWithOthers(first, others));
      },
    ),
  )
  .post(
    ...route(
      '/',
      {
        permission: 'payments:record',
        summary: 'Records a payment',
        description: '201 when it is new, 200 when the same payment was recorded before.',
        tag,
        headers: idempotencyKey,
        bodyShape: paymentRequest,
        answers: { 200: z.union([paymentWithOthers, exportedPayment]), 201: paymentWithOthers },
        problems: ['payment_conflict', 'idempotency_key_reused'],
      },
      createPaymentRecorder({ path: '/api/v1/payments', show: shownWithOthers }),
    ),
  )
  .post(
    ...route(
      '/:reference/reversal',
      {
        permission: 'payments:reverse',
        summary: 'Takes a payment back, in part or whole',
        description:
          'Its `reversalReference`, or else the Idempotency-Key, tells a second reversal from the first one sent again; one of the two is required. 201: applied; 202: held until the payment comes; 200: it was there before.',
        tag,
        params: byReference,
        headers: idempotencyKey,
        bodyShape: reversalRequest,
        answers: { 200: reversalWithPayment, 201: reversalWithPayment, 202: reversalWithPayment },
        problems: ['reversal_refused', 'reversal_conflict', 'idempotency_key_reused'],
      },
      createReverser(),
    ),
  );
