// One story through the routes: what each is asked and answers, with real data behind it. The reference's examples are
// recorded from it, and the tests of every route take from it what exists.

import { createHash } from 'node:crypto';
import { staging } from '../../containers/ingest/staging.ts';
import { buryEvents } from '../../shared/dead-letters/bury-events.ts';
import { foldInto } from '../../shared/read/testing.ts';
import { event } from '../../shared/servicing/testing.ts';
import { type Permission, permissions } from '../../shared/staff/permissions.ts';
import type { Examples } from '../../workers/openapi.ts';
import { type Answer, ask, deliver } from './asking.ts';
import type { Asking, Call } from './calling.ts';
import { ledgerOf } from './ledger-scenario.ts';
import { postingsOf } from './posting-scenario.ts';
import { staffOf } from './staff-scenario.ts';
import { timeZone, type World } from './world.ts';

export interface Story {
  /** The token of a key with every permission. */
  key: string;
  examples: Examples;
  /** Ids that were asked for, by route. */
  params: Record<string, Record<string, string>>;
}

export const everyPermission = Object.keys(permissions) as Permission[];

export async function playStory(world: World): Promise<Story> {
  const key = await world.newKey(everyPermission);
  const examples: Examples = {};
  const asked: Story['params'] = {};

  /** By a route's own path. */
  async function call(route: string, asking: Asking = {}): Promise<Answer> {
    const { params = {}, query = {}, body, as, headers, unrecorded } = asking;
    const [method = '', path = ''] = route.split(' ');
    const filled = path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] as string));
    const search = new URLSearchParams(query).size > 0 ? `?${new URLSearchParams(query)}` : '';
    const answer = await ask(`${world.edge.urls.api}${filled}${search}`, {
      method,
      headers: {
        authorization: `Bearer ${as?.accessToken ?? key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (answer.status >= 300 && !unrecorded)
      throw new Error(`${route} was answered ${answer.status}: ${answer.text}`);
    examples[route] ??= {};
    asked[route] ??= params;
    if (unrecorded) return answer;
    examples[route][answer.status] = {
      ...('params' in asking ? { params } : {}),
      ...('query' in asking ? { query } : {}),
      ...(body === undefined ? {} : { body }),
      ...(answer.body === undefined ? {} : { answer: answer.body }),
    };
    return answer;
  }

  await paymentsOf(call, world);
  await whatWaits(call, world);
  await customersOf(call, world);
  await postingsOf(call, world);
  await ledgerOf(call, world);
  await viewsOf(call);
  await call('GET /api/v1/stream', { query: { seconds: '1' }, unrecorded: true });
  await staffOf(call, world);
  for (const path of [
    ...['/health', '/metrics', '/openapi.json', '/docs', '/.well-known/jwks.json', '/api/v1/payments/stats'],
    ...['/reports', '/reports/style.css', '/api/v1/auth/oidc/login', '/api/v1/auth/oidc/callback'],
  ]) {
    await call(`GET ${path}`, { unrecorded: true });
  }
  await call('GET /reports/:report', { params: { report: 'failed-sign-ins' }, unrecorded: true });
  return { key, examples, params: asked };
}

async function paymentsOf(call: Call, world: World): Promise<void> {
  const payment = {
    referenceNumber: 'CHK-2026-0107',
    loanAccountNumber: 'LN00001234',
    cif: 'CIF000077',
    amount: '100.50',
    currency: 'EUR',
    paymentDate: '2026-11-20T08:30:00Z',
    paymentChannel: 'counter',
    metadata: { till: 3 },
    requiresReceipt: true,
  };
  for (const path of ['/api/v1/payments', '/api/payments', '/api/payments/notification']) {
    const own = { ...payment, referenceNumber: `CHK-2026-${path.length}` };
    for (const _ of ['new', 'the same again']) await call(`POST ${path}`, { body: own });
  }
  const params = { reference: `CHK-2026-${'/api/v1/payments'.length}` };
  const reversal = { reason: 'paid twice', amount: '20.50', reversalReference: 'RV-2026-0031' };
  const reverse = 'POST /api/v1/payments/:reference/reversal';
  for (const _ of ['new', 'the same again']) await call(reverse, { params, body: reversal });
  const early = { ...reversal, reversalReference: 'RV-2026-0032' };
  await call(reverse, { params: { reference: 'CHK-2026-9999' }, body: early });
  for (const version of ['/api/v1', '/api']) {
    await call(`GET ${version}/payments/:reference`, { params });
    await call(`GET ${version}/payments/loan/:accountNumber`, {
      params: { accountNumber: 'LN00001234' },
      query: { from: '2026-11-01', to: '2026-11-30', channel: 'counter', limit: '2' },
    });
    await call(`GET ${version}/payments/customer/:cif`, { params: { cif: 'CIF000077' } });
  }
  const { body } = await call('GET /api/v1/payment-reversals', { query: { status: 'applied' } });
  await call('GET /api/v1/payment-reversals/:id', { params: { id: body.data[0].id } });

  // The same references with other facts.
  for (const amount of ['121.00', '122.00']) {
    await deliver(world.edge, {
      reference_number: params.reference,
      loan_account_number: 'LN00001234',
      cif: 'CIF000077',
      amount,
      payment_date: '2026-11-20T08:30:00Z',
    });
  }
  const conflicts = await call('GET /api/v1/payment-conflicts', { query: { status: 'open' } });
  const [accepted, dismissed] = conflicts.body.data.map(({ id }: { id: string }) => ({ id }));
  await call('GET /api/v1/payment-conflicts/:id', { params: accepted });
  await call('POST /api/v1/payment-conflicts/:id/accept', {
    params: accepted,
    body: { reason: 'a second instalment' },
  });
  await call('POST /api/v1/payment-conflicts/:id/dismiss', {
    params: dismissed,
    body: { reason: 'the sender withdrew it' },
  });
}

async function whatWaits(call: Call, world: World): Promise<void> {
  await world.db.query(
    `insert into payment_staging (reference_number, loan_account_number, cif, amount, payment_date, metadata)
     select 'INV-2026-00' || n, 'LN00001234', 'CIF000077', 10.005, '2026-11-20 08:30', '{"line": 1}'
     from generate_series(1, 3) n`,
  );
  await staging({
    db: world.db,
    instance: 'ingest-1-7',
    business: { timeZone, currency: 'EUR' },
    enabled: true,
    batchSize: 100,
    workers: 1,
    maxRetries: 0,
  }).step();
  const quarantined = '/api/v1/payments/staging/quarantined';
  const reason = 'too_many_decimals';
  const { body } = await call(`GET ${quarantined}`, { query: { reason } });
  const [{ id }, second] = body.data;
  const correction = { amount: '10.01', note: 'as the branch has it' };
  await call(`PATCH ${quarantined}/:id`, { params: { id }, body: correction });
  await call(`GET ${quarantined}/:id`, { params: { id } });
  await call(`POST ${quarantined}/:id/release`, { params: { id: second.id }, body: { note: 'try again' } });
  await call(`POST ${quarantined}/release`, { body: { ids: [body.data[2].id] } });
  await call('POST /api/v1/payments/staging/run');
  await call('POST /api/v1/jobs/:job/run', { params: { job: 'partitions' } });
  await call('GET /api/v1/jobs');

  for (const n of [1, 2, 3, 4]) {
    const letter = {
      source: 'inbox:billie-servicing',
      entryId: `179560000500${n}-0`,
      eventId: `evt-1029${n}`,
      type: 'account.created.v1',
      fields: { typ: 'account.created.v1', id: `evt-1029${n}`, payload: '{"account_id":' },
      reason: 'its payload is not JSON',
      stack: null,
    };
    // One after the other, so that they have an order.
    await buryEvents(world.db, [letter]);
  }
  const letters = '/api/v1/dead-letters';
  const waiting = await call(`GET ${letters}`, { query: { type: 'account.created.v1' } });
  const [first, next, third, fourth] = waiting.body.data.map((letter: { id: string }) => ({ id: letter.id }));
  await call(`GET ${letters}/:id`, { params: first });
  await call(`POST ${letters}/:id/replay`, { params: next });
  await call(`POST ${letters}/:id/discard`, { params: third, body: { reason: 'the sender sent it anew' } });
  await call(`POST ${letters}/replay`, { body: { ids: [fourth.id, third.id] } });
  const none = { filter: { type: 'account.closed.v1' }, reason: 'they are not ours' };
  await call(`POST ${letters}/discard`, { body: none });

  const told = { id: 'EV00EXAMPLE', created_at: '2026-11-23T14:59:55.000Z', resource_type: 'payments' };
  const gocardless = { ...told, action: 'confirmed', links: { payment: 'PM00EXAMPLE' } };
  await deliver(world.edge, { events: [gocardless] }, { channel: 'gocardless' });
  const notices = await call('GET /api/v1/payment-notices', { query: { channel: 'gocardless' } });
  const notice = { id: notices.body.data[0].id };
  await call('GET /api/v1/payment-notices/:id', { params: notice });
  await call('POST /api/v1/payment-notices/:id/retry', { params: notice });

  for (const reference_number of ['INV-2026-0044', 'INV-2026-0045']) {
    await deliver(world.edge, { reference_number, amount: '10.00', cif: 'CIF000077' });
  }
  const rejected = '/api/v1/rejected-webhooks';
  const bodies = await call(`GET ${rejected}`, { query: { status: 'open' } });
  const [unread, other] = bodies.body.data.map((one: { id: string }) => ({ id: one.id }));
  await call(`GET ${rejected}/:id`, { params: unread });
  const corrected = JSON.stringify({
    reference_number: 'INV-2026-0045',
    loan_account_number: 'LN00001234',
    cif: 'CIF000077',
    amount: '10.00',
    payment_date: '2026-11-20',
  });
  await call(`POST ${rejected}/:id/resend`, { params: unread, body: { body: corrected } });
  await call(`POST ${rejected}/:id/dismiss`, { params: other, body: { reason: 'it came by post' } });
}

async function customersOf(call: Call, world: World): Promise<void> {
  let told = 0;
  const at = (day: string) => ({ at: `${day}T09:30:00Z`, id: `told-${++told}` });
  await foldInto(world.db, [
    event(
      'customer.created.v1',
      {
        customer_id: 'C-1001',
        cif: 'CIF000077',
        first_name: 'Ana',
        last_name: 'Ruiz',
        email_address: 'ana@example.com',
        mobile_phone_number: '+34 600 000 001',
      },
      at('2026-10-01'),
    ),
    event(
      'account.created.v1',
      {
        account_id: 'A-42',
        account_number: 'LN00001234',
        customer_id: 'C-1001',
        status: 'ACTIVE',
        loan_amount: '300.00',
        current_balance: '240.00',
        opened_date: '2026-10-02',
      },
      at('2026-10-02'),
    ),
    event(
      'loan.aging.updated.v1',
      { account_id: 'A-42', days_past_due: 14, arrears_amount: '50.00' },
      at('2026-10-20'),
    ),
    event(
      'account.schedule.created.v1',
      {
        account_id: 'A-42',
        schedule_id: 'S-1',
        payments: [
          { payment_number: 1, due_date: '2020-01-01', amount: '50.00' },
          { payment_number: 2, due_date: '2999-01-01', amount: '50.00' },
        ],
      },
      at('2026-10-02'),
    ),
    event(
      'user_input',
      { text: 'May I pay on Friday?' },
      { ...at('2026-10-21'), id: 'said-1', conversation_id: 'V-7', user_id: 'C-1001' },
    ),
    event(
      'assistant_response',
      { text: 'Friday is fine.' },
      { ...at('2026-10-22'), id: 'said-2', conversation_id: 'V-7' },
    ),
  ]);
  const id = { id: 'C-1001' };
  await notesOf(call, id);
  await call('GET /api/v1/customers', { query: { sort: 'name', limit: '20' } });
  await call('GET /api/v1/customers/:id', { params: id });
  await call('GET /api/v1/customers/:id/timeline', { params: id, query: { limit: '3' } });
  await call('GET /api/v1/search', { query: { q: 'ana ruis' } });
  await call('GET /api/v1/accounts', { query: { status: 'active', sort: 'daysPastDue' } });
  await call('GET /api/v1/accounts/:id', { params: { id: 'LN00001234' } });
  await call('GET /api/v1/accounts/:id/schedule', {
    params: { id: 'A-42' },
    query: { fields: 'dueOn,state' },
  });
  await call('GET /api/v1/loans/delinquent', { query: { dpd: '7' } });
  await call('GET /api/v1/conversations', { query: { customer: 'CIF000077' } });
  await call('GET /api/v1/conversations/:id', { params: { id: 'V-7' } });
  await call('GET /api/v1/stats/overview', { unrecorded: true });

  await call('GET /api/customers/:cif', { params: { cif: 'CIF000077' } });
  await call('GET /api/customers/:cif/loans', { params: { cif: 'CIF000077' } });
  await call('GET /api/loans/delinquent', { query: { dpd: '7', status: 'active' } });
  await call('GET /api/loans/:accountNumber', { params: { accountNumber: 'LN00001234' } });
  const customer = { customerId: 'C-1001' };
  await call('GET /api/customer/:customerId', { params: customer });
  await call('GET /api/customer/:customerId/loan-accounts', { params: customer });
  await call('GET /api/customer/:customerId/conversations', { params: customer });
  await call('GET /api/search/customers', { query: { q: 'ana ruiz' } });
  await call('GET /api/search/loan-accounts', { query: { q: 'LN00001234' } });
  await call('GET /api/search/conversations', { query: { q: 'V-7' } });
}

async function notesOf(call: Call, customer: { id: string }): Promise<void> {
  const notes = 'POST /api/v1/customers/:id/notes';
  const { body } = await call(notes, { params: customer, body: { text: 'Wants to pay on Friday.' } });
  const params = { id: body.id };
  const from = (version: number) => ({ 'if-match': `"${version}"` });
  const amendment = { text: 'Has paid.' };
  await call('POST /api/v1/notes/:id/amendments', { params, body: amendment, headers: from(1) });
  await call('PUT /api/v1/notes/:id/pin', { params, headers: from(2) });
  await call('DELETE /api/v1/notes/:id/pin', { params, headers: from(3) });
  await call('GET /api/v1/notes/:id', { params });
  await call('GET /api/v1/customers/:id/notes', { params: customer });
}

async function viewsOf(call: Call): Promise<void> {
  const view = { name: 'At the counter', list: 'payments', query: { channel: 'counter' } };
  const { body } = await call('POST /api/v1/views', { body: view });
  const params = { id: body.id };
  const headers = { 'if-match': '"1"' };
  await call('PUT /api/v1/views/:id', { params, body: { ...view, query: { channel: 'branch' } }, headers });
  await call('GET /api/v1/views', { query: { list: 'payments' } });
  await call('GET /api/v1/views/:id', { params });
  const other = await call('POST /api/v1/views', { body: { ...view, name: 'By hand' } });
  await call('DELETE /api/v1/views/:id', { params: { id: other.body.id }, headers });
}

/** The same again from run to run: ids by their order, instants of today as one, this run's people and keys as examples. */
export function normalised(examples: Examples): Examples {
  const ids = new Map<string, string>();
  const idOf = (id: string) => {
    if (!ids.has(id)) ids.set(id, createHash('sha256').update(`example ${ids.size}`).digest('hex'));
    const hex = ids.get(id) as string;
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  };
  const aDayMs = 86_400_000;
  const ofToday = Date.UTC(2026, 10, 24, 9);
  const instantOf = (text: string) => {
    const days = Math.round((Date.parse(text) - Date.now()) / aDayMs);
    // Today, and how far a request for a second person, a session and a key go.
    if (Math.abs(days) > 1 && ![3, 30, 90].includes(days)) return text;
    const shown = new Date(ofToday + (days > 1 ? days * aDayMs : 0)).toISOString();
    return text.endsWith('Z') ? shown : shown.slice(0, -1);
  };
  const textOf = (text: string) =>
    text
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, idOf)
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z?/g, instantOf)
      .replace(/\brk_[0-9a-z]{12}_[\w-]{43}/g, 'rk_8aiaut4sy0oq_iXqnt3kOyU6Y7YWkpjpNuUmkQnpWKzmKIghwJcL9Uo7')
      .replace(/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJydXRoIn0.c2lnbmF0dXJl')
      .replace(/^(rt_)?[\w-]{43}$/, '$1w9cJq0nQ4dG2yV7sZ1mX5rT8bL3kH6pF0aE9uO2iNvY')
      .replace(/\b[A-Z2-7]{32}\b/g, 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP')
      .replace(/^\d{6}$/, '492039')
      // Where a page ends, by its time.
      .replace(/^MjAy[\w+/]{20,}=*$/, 'MjAyNi0xMS0yNFQwOTowMDowMC4wMDBafA==')
      .replace(
        /^WyJuZXdlc3Qi[\w-]{40,}$/,
        'WyJuZXdlc3QiLCIxbWUzM2dpIiwiMjAyNi0xMS0yNFQwOTowMDowMC4wMDBaIiwiN2Y5YzJiYTQiXQ',
      )
      .replace(/key:[0-9a-z]{12}/g, 'key:8aiaut4sy0oq')
      .replace(/person-\d+/g, 'ruth')
      .replace(/Person \d+/g, 'Ruth Okafor')
      .replace(/^127\.0\.0\.1$/, '203.0.113.7');
  const prefix = '8aiaut4sy0oq';
  const fixed: Record<string, string> = {
    prefix,
    replaces: prefix,
    replacedBy: 'p3k7m0v2x9qd',
  };
  const of = (value: unknown): unknown => {
    if (typeof value === 'string') return textOf(value);
    if (Array.isArray(value)) return value.map(of);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, inner && (fixed[name] ?? of(inner))]),
    );
  };
  return of(examples) as Examples;
}
