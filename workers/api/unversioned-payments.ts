// Payments under the paths and in the shapes of the earlier collection system: bare objects and arrays, amounts as JSON
// numbers, the next page in a Link header. The same verbs and permissions as under /api/v1.

import { Hono } from 'hono';
import { readExactJson } from '../../shared/exact-json.ts';
import { type PaymentDetails, readPaymentsByReference } from '../../shared/read/payment-history.ts';
import { type PaymentFilter, type PaymentRow, readPayments } from '../../shared/read/payments.ts';
import { refuse, type Scope } from '../app.ts';
import type { createCallerCheck } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { page, validQuery } from './pages.ts';
import { filterOf, filterParameters } from './payments.ts';
import { createPaymentRecorder } from './record-payment.ts';

/** Decimal text as a JSON number with the same digits. */
const exactNumber = (amount: string | null) => amount && readExactJson(amount);

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

export function unversionedPaymentRoutes(callerCheck: ReturnType<typeof createCallerCheck<ApiSettings>>) {
  const routes = new Hono<Scope<ApiSettings>>();
  const list = (path: string, by: (value: string) => PaymentFilter['by']) =>
    routes.get(path, callerCheck('payments:read'), validQuery(filterParameters), async (c) => {
      const { limit, after, ...asked } = c.req.valid('query');
      const { database, timeZone } = c.get('settings');
      const filter = filterOf(by(c.req.param('key') as string), asked, timeZone);
      const { rows, next } = await readPayments(openDatabase(database), filter, after, limit);
      const following = page(rows.map(payment), next);
      if (following.next !== null) {
        const url = new URL(c.req.url);
        url.searchParams.set('after', following.next);
        c.header('link', `<${url.pathname}${url.search}>; rel="next"`);
      }
      return c.json(following.data);
    });
  list('/loan/:key', (loanAccountNumber) => ({ loanAccountNumber }));
  list('/customer/:key', (cif) => ({ cif }));

  routes.get('/:reference', callerCheck('payments:read'), async (c) => {
    const db = openDatabase(c.get('settings').database);
    const [first] = await readPaymentsByReference(db, c.req.param('reference'));
    return first ? c.json(details(first)) : refuse(c, 'not_found');
  });

  const record = createPaymentRecorder()({ path: '/api/payments', show: details });
  routes.post('/', callerCheck('payments:record'), record);
  routes.post('/notification', callerCheck('payments:record'), record);
  return routes;
}
