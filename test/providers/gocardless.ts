// GoCardless's API as its documentation has it, as far as notices need it: payments, refunds and events.

import { type Asked, type ProviderServer, type Reply, startProvider } from './server.ts';

export const token = 'sandbox_token_of_the_tests';

export interface GoCardless extends ProviderServer {
  payments: Map<string, object>;
  refunds: Map<string, object>;
  events: Array<{
    id: string;
    created_at: string;
    resource_type: string;
    action: string;
    links: { payment?: string };
  }>;
}

const error = (status: number, type: string, message: string): Reply => ({
  status,
  body: {
    error: { message, type, code: status, request_id: 'req-test', errors: [{ message, reason: type }] },
  },
});

export async function startGoCardless(): Promise<GoCardless> {
  const state: Pick<GoCardless, 'payments' | 'refunds' | 'events'> = {
    payments: new Map(),
    refunds: new Map(),
    events: [],
  };
  const server = await startProvider((asked) => answer(asked, state));
  return Object.assign(server, state);
}

function answer(
  { method, path, query, headers }: Asked,
  state: Pick<GoCardless, 'payments' | 'refunds' | 'events'>,
): Reply {
  if (headers.authorization !== `Bearer ${token}`) return error(401, 'invalid_api_usage', 'Unauthorized');
  if (headers['gocardless-version'] !== '2015-07-06')
    return error(400, 'invalid_api_usage', 'Version not found');
  if (method !== 'GET') return error(405, 'invalid_api_usage', 'Method not allowed');
  const [, resource, id] = path.split('/');
  if (resource === 'events' && id === undefined) {
    const events = state.events.filter(
      (event) =>
        event.resource_type === query.get('resource_type') &&
        event.action === query.get('action') &&
        event.links.payment === query.get('payment'),
    );
    return { status: 200, body: { events, meta: { cursors: { before: null, after: null }, limit: 50 } } };
  }
  if (resource !== 'payments' && resource !== 'refunds') return error(404, 'invalid_api_usage', 'Not found');
  const found = state[resource].get(decodeURIComponent(id ?? ''));
  return found
    ? { status: 200, body: { [resource]: found } }
    : error(404, 'invalid_api_usage', 'Resource not found');
}

/** A payment resource like any other. */
export const goCardlessPayment = (over: object = {}): object => ({
  id: 'PM0001TEST',
  created_at: '2026-11-18T08:00:00.000Z',
  charge_date: '2026-11-20',
  amount: 10050,
  description: 'Instalment',
  currency: 'GBP',
  status: 'confirmed',
  amount_refunded: 0,
  reference: 'INV-7',
  metadata: { loan_account_number: 'LN00001234', cif: 'CIF000077' },
  fx: { fx_currency: 'GBP', fx_amount: null, exchange_rate: null, estimated_exchange_rate: null },
  links: { mandate: 'MD0001TEST', creditor: 'CR0001TEST' },
  retry_if_possible: false,
  ...over,
});

/** An event as it stands in a webhook. */
export const goCardlessEvent = (action: string, over: object = {}) => ({
  id: 'EV0001TEST',
  created_at: '2026-11-23T09:30:00.000Z',
  resource_type: 'payments',
  action,
  links: { payment: 'PM0001TEST' } as { payment?: string; refund?: string },
  details: { origin: 'gocardless', cause: `payment_${action}`, description: 'What happened.' },
  metadata: {},
  resource_metadata: {},
  ...over,
});
