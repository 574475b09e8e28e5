// Payments under the paths and in the shapes of the earlier collection system: bare objects and arrays, amounts as JSON
// numbers, the next page in a Link header. The same verbs and permissions as under /api/v1.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { readExactJson } from '../../shared/exact-json.ts';
import { type PaymentDetails, readPaymentsByReference } from '../../shared/read/payment-history.ts';
import { type PaymentFilter, type PaymentRow, readPayments } from '../../shared/read/payments.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { exactNumber } from './exact-number.ts';
import { linkNext, page } from './pages.ts';
import { filterOf, filterParameters } from './payments.ts';
import { createPaymentRecorder } from './record-payment.ts';
import { route } from './route.ts';
import { exportedPayment, unversionedPayment, unversionedPaymentWhole } from './shapes/payments.ts';
import { idempotencyKey, paymentRequest } from './shapes/requests.ts';

const payment = (row: PaymentRow | PaymentDetails) => ({
  id: row.id,
  referenceNumber: row.referenceNumber,
  loanAccountNumber: row.loanAccountNumber,
  cif: row.cif,
  amount: exactNumber(row.amount),
  currency: row.currency,
  paymentDate: row.paymentDate,
  paymentChannel: row.paymentChannel,
  source: row.source,
  status: row.status,
  reversedAmount: exactNumber(row.reversedAmount),
  requiresReceipt: row.requiresReceipt,
  metadata: readExactJson(row.metadata),
  createdAt: row.createdAt,
});

const details = (row: PaymentDetails) => {
  const history = JSON.parse(row.history) as { amount: string | null }[];
  return {
    ...payment(row),
    history: history.map((entry) => ({ ...entry, amount: exactNumber(entry.amount) })),
  };
};

type ListQuery = z.output<typeof filterParameters>;

async function list(c: RequestContext<ApiSettings>, by: PaymentFilter['by'], query: ListQuery) {
  const { limit, after, ...asked } = query;
  const { database, timeZone } = c.get('settings');
  const filter = filterOf(by, asked, timeZone);
  const { rows, next } = await readPayments(openDatabase(database), filter, after, limit);
  const following = page(rows.map(payment), next);
  linkNext(c, following.next);
  return c.json(following.data);
}

const tag = 'Payments, without a version';
const lists = {
  permission: 'payments:read',
  tag,
  query: filterParameters,
  answers: { 200: z.array(unversionedPayment) },
} as const;
const recording = {
  permission: 'payments:record',
  tag,
  headers: idempotencyKey,
  bodyShape: paymentRequest,
  answers: { 200: z.union([unversionedPaymentWhole, exportedPayment]), 201: unversionedPaymentWhole },
  problems: ['payment_conflict', 'idempotency_key_reused'],
} as const;
const record = createPaymentRecorder({ path: '/api/payments', show: details });

export const unversionedPaymentRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/loan/:accountNumber',
      { ...lists, summary: 'Payments of a loan', description: 'The next page is in the `Link` header.' },
      (c) => list(c, { loanAccountNumber: c.req.param('accountNumber') }, c.req.valid('query')),
    ),
  )
  .get(
    ...route(
      '/customer/:cif',
      { ...lists, summary: 'Payments of a customer', description: 'The next page is in the `Link` header.' },
      (c) => list(c, { cif: c.req.param('cif') }, c.req.valid('query')),
    ),
  )
  .get(
    ...route(
      '/:reference',
      {
        permission: 'payments:read',
        summary: 'The first payment with this reference number',
        tag,
        answers: { 200: unversionedPaymentWhole },
      },
      async (c) => {
        const db = openDatabase(c.get('settings').database);
        const [first] = await readPaymentsByReference(db, c.req.param('reference'));
        return first ? c.json(details(first)) : refuse(c, 'not_found');
      },
    ),
  )
  .post(...route('/', { ...recording, summary: 'Records a payment' }, record))
  .post(...route('/notification', { ...recording, summary: 'Records a payment' }, record));
