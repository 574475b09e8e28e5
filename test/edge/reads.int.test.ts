// What staff read of customers, loans and conversations: who sees whom and how, who is written down for it, and what is
// asked of lists.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { entriesOf } from '../../shared/audit/testing.ts';
import { foldInto, recorded } from '../../shared/read/testing.ts';
import { event } from '../../shared/servicing/testing.ts';
import { type Answer, ask, expectProblem } from './asking.ts';
import { type TestPerson, unlimited, useWorld } from './world.ts';

const world = useWorld('workerd', { api: unlimited });
let agent: TestPerson;
let operations: TestPerson;

const get = (path: string, by: TestPerson | string = agent, headers: Record<string, string> = {}) =>
  ask(`${world.edge.urls.api}${path}`, {
    headers: { authorization: `Bearer ${typeof by === 'string' ? by : by.accessToken}`, ...headers },
  });

const address = { street: 'Calle Mayor', city: 'Madrid' };
beforeAll(async () => {
  [agent, operations] = [await world.newPerson(['agent'], 'north'), await world.newPerson(['operations'])];
  const day = (n: number) => `2026-03-0${n}T10:00:00Z`;
  const said = (text: string, id: string, n: number) =>
    event('user_input', { text }, { id, conversation_id: 'V1', user_id: 'C0', at: day(n) });
  const person = (id: string, first: string, last: string, more: Record<string, unknown>, n: number) =>
    event(
      'customer.created.v1',
      { customer_id: id, first_name: first, last_name: last, ...more },
      { at: day(n) },
    );
  await foldInto(world.db, [
    person(
      'C1',
      'Ximena',
      'Ruizdez',
      {
        cif: 'CIF-1',
        email_address: 'ximena@example.com',
        mobile_phone_number: '+34 600 123 456',
        date_of_birth: '1990-02-03',
        residential_address: address,
      },
      1,
    ),
    person('C0', 'Ximena', 'Before', {}, 2),
    event(
      'customer.identity.merged.v1',
      { surviving_customer_id: 'C1', merged_customer_id: 'C0' },
      { at: day(3) },
    ),
    person('C2', 'Bo', 'Olsenius', {}, 4),
    person('C3', 'Cy', 'Youngling', {}, 5),
    event('account.created.v1', {
      account_id: 'A1',
      account_number: 'LN-7001',
      customer_id: 'C0',
      status: 'ACTIVE',
      loan_amount: '300.00',
      loan_fee: '12.50',
      current_balance: '9999999999999.99',
      opened_date: '2026-01-05',
      borrowers: [{ customer_id: 'C2' }],
    }),
    event('loan.aging.updated.v1', { account_id: 'A1', days_past_due: 35, arrears_amount: '40.10' }),
    event('account.created.v1', {
      account_id: 'A2',
      account_number: 'LN-7002',
      customer_id: 'C1',
      current_balance: '1.00',
      opened_date: '2026-01-06',
    }),
    event('account.schedule.created.v1', {
      account_id: 'A1',
      schedule_id: 'S1',
      payments: [1, 2, 3].map((n) => ({ payment_number: n, due_date: `202${n}-01-01`, amount: '100.00' })),
    }),
    recorded('11111111-1111-4111-8111-111111111111', 'LN-7001', '20.00'),
    said('my secret is out', 'said-1', 6),
    said('and another', 'said-2', 7),
    event('assistant_response', { text: 'Noted' }, { conversation_id: 'V1', at: day(8) }),
    event('conversation_started', {}, { conversation_id: 'V2', user_id: 'C3', at: day(9) }),
  ]);
});

/** Every read that names people: the route, whom it shows, and something of them that is masked. */
const naming: Array<[path: string, route: string, whom: string[], secret: string]> = [
  ['/api/v1/customers?q=CIF-1', '/api/v1/customers', ['C1'], 'ximena@example.com'],
  ['/api/v1/customers?limit=2', '/api/v1/customers', ['C3', 'C2'], 'Youngling'],
  ['/api/v1/customers/A1', '/api/v1/customers/:id', ['C1'], 'Calle Mayor'],
  ['/api/v1/customers/CIF-1/timeline', '/api/v1/customers/:id/timeline', ['C1'], 'my secret is out'],
  ['/api/v1/search?q=LN-7001', '/api/v1/search', ['C1'], 'Ximena Ruizdez'],
  ['/api/v1/accounts', '/api/v1/accounts', ['C1'], 'Ximena Ruizdez'],
  ['/api/v1/accounts/LN-7001', '/api/v1/accounts/:id', ['C1', 'C2'], 'Bo Olsenius'],
  ['/api/v1/loans/delinquent', '/api/v1/loans/delinquent', ['C1'], 'Ximena Ruizdez'],
  ['/api/v1/conversations?limit=1', '/api/v1/conversations', ['C3'], 'Cy Youngling'],
  ['/api/v1/conversations?customer=CIF-1', '/api/v1/conversations', ['C1'], 'Ximena Ruizdez'],
  ['/api/v1/conversations/V1', '/api/v1/conversations/:id', ['C1'], 'my secret is out'],
  ['/api/customers/CIF-1', '/api/customers/:cif', ['C1'], '1990-02-03'],
  ['/api/customer/C1', '/api/customer/:customerId', ['C1'], '+34 600 123 456'],
  ['/api/customer/C1/conversations', '/api/customer/:customerId/conversations', ['C1'], 'Ximena Ruizdez'],
  ['/api/search/customers?q=C1', '/api/search/customers', ['C1'], 'ximena@example.com'],
  ['/api/search/loan-accounts?q=A1', '/api/search/loan-accounts', ['C1'], 'Ximena Ruizdez'],
  ['/api/search/conversations?q=V2', '/api/search/conversations', ['C3'], 'Cy Youngling'],
];
/** Those that name nobody. */
const nameless = [
  '/api/v1/accounts/A1/schedule',
  '/api/customers/CIF-1/loans',
  '/api/customer/C1/loan-accounts',
  '/api/loans/LN-7001',
  '/api/loans/delinquent',
];
const all = [...naming.map(([path]) => path), ...nameless];

const personal =
  /Ximena|Ruizdez|Olsenius|Youngling|Before|Calle|ximena@|600 123|1990-02-03|secret|another|Noted/;

describe('what names people', () => {
  let before = '0';
  beforeEach(async () => {
    [{ before } = { before }] = await world.db.query<{ before: string }>(
      'select coalesce(max(id), 0)::text as before from audit.entries',
    );
  });
  const newReads = async () =>
    (await entriesOf(world.db, 'customer.read')).filter(({ id }) => BigInt(id) > BigInt(before));

  test.each(naming)(
    '%s is whole for who may see it, and they are written down',
    async (path, route, whom, secret) => {
      const answer = await get(path);
      expect(answer.status, answer.text).toBe(200);
      expect(answer.text).toContain(secret);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      const [entry, ...others] = await newReads();
      expect(others).toEqual([]);
      expect(entry).toMatchObject({
        actor: `user:${agent.username}`,
        subject_kind: 'customer',
        request_id: answer.headers.get('x-request-id'),
        details: { route },
      });
      expect(entry?.details?.ids ?? [entry?.subject_id]).toEqual(whom);
    },
  );

  test.each(naming)('%s is masked for everybody else, and nobody is written down', async (path) => {
    const answer = await get(path, operations);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.text).not.toMatch(personal);
    // Not because there was nothing.
    expect(answer.text).toMatch(/"(fullName|words|content)":"(\*\*\*|\p{Lu}\. \p{Lu}\.)"/u);
    expect(await newReads()).toEqual([]);
  });

  test.each(nameless)('%s names nobody to anybody', async (path) => {
    const answer = await get(path);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.text).not.toMatch(personal);
    expect(answer.text).toContain('1');
    expect(await newReads()).toEqual([]);
  });

  test('who looks for somebody who is not there is written down with nobody', async () => {
    for (const path of [
      '/api/v1/customers/nobody',
      '/api/v1/accounts/nobody',
      '/api/v1/conversations/nobody',
    ])
      expectProblem(await get(path), 404, 'not_found');
    const reads = await newReads();
    expect(reads.map(({ subject_id, details }) => details?.ids ?? subject_id)).toEqual([null, [], null]);
  });

  test('a page says whom it showed, not whom the next one will', async () => {
    await get('/api/v1/customers?limit=1');
    await get('/api/v1/accounts?customer=C1');
    expect((await newReads()).map(({ details }) => details?.ids)).toEqual([['C3'], ['C1']]);
  });

  test('auditors are told who read whom, a co-borrower too', async () => {
    await get('/api/v1/accounts/A1');
    const auditor = await world.newPerson(['auditor']);
    const report = await get('/api/v1/audit/reports/customer-reads?subject=C2&limit=1', auditor);
    expect(report.body.data).toMatchObject([
      { actor: `user:${agent.username}`, customer: 'C1 C2', route: '/api/v1/accounts/:id' },
    ]);
  });

  test('who sees names masked has no list by name, and finds nobody by a part of one', async () => {
    const problem = expectProblem(await get('/api/v1/customers?sort=name', operations), 400, 'invalid_query');
    expect(problem.errors).toMatchObject([{ field: 'sort' }]);
    const found = async (q: string, by: TestPerson) =>
      (await get(`/api/v1/customers?q=${encodeURIComponent(q)}`, by)).body.data.length;
    for (const q of ['Ximena', 'ximena@', 'Ruizdes', '3456']) {
      expect([q, await found(q, agent), await found(q, operations)]).toEqual([q, 1, 0]);
    }
    expect(await found('ruizdez ximena', operations)).toBe(1);
  });
});

describe('a permission for less than everybody', () => {
  test.each(['team', 'own'])('reaches nobody: %s', async (reach) => {
    const role = `narrow-${reach}`;
    await world.db.query(`insert into staff.roles (name, description) values ($1, 'made by a test')`, [role]);
    await world.db.query(
      `insert into staff.role_permissions values ($1, 'customers:read', $2), ($1, 'customers:personal', 'all')`,
      [role, reach],
    );
    const narrow = await world.newPerson([role], 'north');
    const shape = ({ status, headers, body }: Answer) => ({
      status,
      headers: [...headers].filter(([name]) => !['date', 'x-request-id', 'connection'].includes(name)),
      body: { ...body, requestId: '' },
    });
    const nothing = shape(await get('/api/v1/nothing', narrow));
    for (const path of all) expect(shape(await get(path, narrow)), path).toEqual(nothing);
  });

  test('to see what names people leaves it masked', async () => {
    await world.db.query(`insert into staff.roles (name, description) values ('shy', 'made by a test')`);
    await world.db.query(
      `insert into staff.role_permissions values ('shy', 'customers:read', 'all'), ('shy', 'customers:personal', 'team')`,
    );
    const shy = await world.newPerson(['shy'], 'north');
    for (const [path] of naming) expect((await get(path, shy)).text, path).not.toMatch(personal);
  });
});

test.each([...all, '/api/v1/stats/overview'])('%s is told once to who has it already', async (path) => {
  const reader = path.includes('stats') ? operations : agent;
  const first = await get(path, reader);
  const tag = first.headers.get('etag') ?? '';
  expect(tag).toMatch(/^".+"$/);
  expect(first.headers.get('vary')).toContain('Authorization');
  if (path.includes('stats')) return;
  const again = await get(path, reader, { 'if-none-match': `"other", ${tag}` });
  expect([again.status, again.text, again.headers.get('etag')]).toEqual([304, '', tag]);
  expect((await get(path, reader, { 'if-none-match': '"other"' })).status).toBe(200);
  // What others see of it is another thing.
  const theirs = await get(path, operations, { 'if-none-match': tag });
  expect(theirs.status).toBe(nameless.includes(path) ? 304 : 200);
});

describe('fields', () => {
  test.each([
    [
      '/api/v1/customers?limit=1&fields=customerId',
      { data: [{ customerId: 'C3' }], next: expect.any(String) },
    ],
    ['/api/v1/customers?q=C1&fields=score', { data: [{ score: 1 }], next: null }],
    [
      '/api/v1/customers/C1?fields=fullName,loans.accountId',
      { fullName: 'Ximena Ruizdez', loans: [{ accountId: 'A2' }, { accountId: 'A1' }] },
    ],
    [
      '/api/v1/customers/C1/timeline?limit=1&fields=about.kind',
      { data: [{ about: { kind: 'conversation' } }] },
    ],
    ['/api/v1/search?q=LN-7001&fields=id', { data: [{ id: 'A1' }], next: null }],
    [
      '/api/v1/accounts?fields=accountId,daysPastDue',
      {
        data: [
          { accountId: 'A2', daysPastDue: null },
          { accountId: 'A1', daysPastDue: 35 },
        ],
        next: null,
      },
    ],
    [
      '/api/v1/accounts/A1?fields=schedule.instalments.state',
      { schedule: { instalments: Array(3).fill({ state: 'missed' }) } },
    ],
    [
      '/api/v1/accounts/A1/schedule?fields=dueOn&limit=1',
      { accountId: 'A1', scheduleId: 'S1', data: [{ dueOn: '2021-01-01' }] },
    ],
    ['/api/v1/loans/delinquent?fields=arrearsAmount', { data: [{ arrearsAmount: '40.10' }] }],
    [
      '/api/v1/conversations?fields=conversationId',
      { data: [{ conversationId: 'V2' }, { conversationId: 'V1' }], next: null },
    ],
    [
      '/api/v1/conversations/V1?fields=lines.author',
      { lines: [{ author: 'customer' }, { author: 'customer' }, { author: 'assistant' }] },
    ],
  ])('%s', async (path, expected) => {
    const { status, body, text } = await get(path);
    expect(status, text).toBe(200);
    expect(body).toMatchObject(expected);
    const [first] = 'data' in body ? body.data : [body];
    expect(Object.keys(first).length).toBeLessThanOrEqual(2);
  });
});

describe('pages', () => {
  /** What every row is known by, over all pages. */
  async function walk(path: string, id: string): Promise<string[]> {
    const found: string[] = [];
    let after: string | undefined;
    do {
      const page = await get(`${path}${after === undefined ? '' : `&after=${encodeURIComponent(after)}`}`);
      expect(page.status, page.text).toBe(200);
      found.push(...(page.body.data ?? page.body.lines).map((row: Record<string, unknown>) => row[id]));
      after = page.body.next ?? undefined;
    } while (after !== undefined);
    return found;
  }

  test.each([
    ['/api/v1/customers?limit=1', 'customerId', ['C3', 'C2', 'C1']],
    ['/api/v1/customers?limit=2&sort=name', 'customerId', ['C2', 'C3', 'C1']],
    ['/api/v1/accounts?limit=1', 'accountId', ['A2', 'A1']],
    ['/api/v1/accounts?limit=1&sort=balance&customer=C1', 'accountId', ['A1', 'A2']],
    ['/api/v1/accounts/A1/schedule?limit=2', 'paymentNumber', [1, 2, 3]],
    ['/api/v1/conversations?limit=1', 'conversationId', ['V2', 'V1']],
    ['/api/v1/conversations/V1?limit=1', 'content', ['my secret is out', 'and another', 'Noted']],
  ])('of %s go to the end, and have each row once', async (path, id, expected) => {
    expect(await walk(path, id)).toEqual(expected);
  });

  test('of a timeline are as one', async () => {
    const path = '/api/v1/customers/C1/timeline';
    const whole = await walk(`${path}?limit=200`, 'eventId');
    expect(whole.length).toBeGreaterThan(8);
    expect(await walk(`${path}?limit=3`, 'eventId')).toEqual(whole);
  });

  test('of the earlier paths are in the Link header', async () => {
    const first = await get('/api/customers/CIF-1/loans?limit=1');
    const [, next] = /^<(.+)>; rel="next"$/.exec(first.headers.get('link') ?? '') ?? [];
    const second = await get(next as string);
    expect([...first.body, ...second.body].map(({ accountId }) => accountId)).toEqual(['A2', 'A1']);
    expect(second.headers.get('link')).toBeNull();
  });

  const lists = [
    '/api/v1/customers',
    '/api/v1/customers/C1/timeline',
    '/api/v1/accounts',
    '/api/v1/accounts/A1/schedule',
    '/api/v1/loans/delinquent',
    '/api/v1/conversations',
    '/api/v1/conversations/V1',
    '/api/customers/CIF-1/loans',
    '/api/customer/C1/conversations',
    '/api/loans/delinquent',
  ];
  test('of another list, and altered ones, are refused', async () => {
    const { body } = await get('/api/v1/customers?sort=name&limit=1');
    for (const path of lists) {
      for (const after of [body.next, `${body.next}x`, 'x', '', "' or true --", '💥']) {
        const answer = await get(`${path}?after=${encodeURIComponent(after)}`);
        const { errors } = expectProblem(answer, 400, 'invalid_query');
        expect(errors).toEqual([
          { field: 'after', code: 'invalid', message: expect.stringContaining('next') },
        ]);
      }
    }
  });
});

describe('what is asked for', () => {
  test.each([
    ['/api/v1/customers?sort=age', 'sort'],
    ['/api/v1/customers?sort=name&sort=newest', 'sort'],
    ['/api/v1/customers?verified=yes', 'verified'],
    ['/api/v1/customers?limit=201', 'limit'],
    ['/api/v1/customers?q=x', 'q'],
    [`/api/v1/customers?q=${'x'.repeat(101)}`, 'q'],
    ['/api/v1/customers?q=Ana&sort=name', 'sort'],
    ['/api/v1/customers?q=Ana&verified=true', 'verified'],
    ['/api/v1/customers?fields=password', 'fields'],
    ['/api/v1/customers/C1?fields=loans.secret', 'fields'],
    ['/api/v1/customers/C1/timeline?fields=__proto__', 'fields'],
    ['/api/v1/search', 'q'],
    ['/api/v1/search?q=LN-7001&limit=101', 'limit'],
    ['/api/v1/search?q=LN-7001&fields=rank', 'fields'],
    ['/api/v1/accounts?sort=account_id', 'sort'],
    ["/api/v1/accounts?sort=openedAt'--", 'sort'],
    ['/api/v1/accounts?status=gone', 'status'],
    ['/api/v1/accounts?bucket=7', 'bucket'],
    ['/api/v1/accounts?dpdFrom=-1', 'dpdFrom'],
    ['/api/v1/accounts?dpdTo=1e3', 'dpdTo'],
    ['/api/v1/accounts?currency=euro', 'currency'],
    ['/api/v1/accounts/A1?fields=x', 'fields'],
    ['/api/v1/accounts/A1/schedule?fields=accountId', 'fields'],
    ['/api/v1/loans/delinquent?dpd=many', 'dpd'],
    ['/api/v1/loans/delinquent?status=late', 'status'],
    ['/api/v1/conversations?status=closed', 'status'],
    ['/api/v1/conversations?fields=lines', 'fields'],
    ['/api/v1/conversations/V1?fields=customer', 'fields'],
    ['/api/loans/delinquent?dpd=x', 'dpd'],
    ['/api/search/customers?q=', 'q'],
    ['/api/search/loan-accounts', 'q'],
  ])('%s is refused for what is wrong', async (path, field) => {
    const { errors } = expectProblem(await get(path), 400, 'invalid_query');
    expect(errors.map((fault: { field: string }) => fault.field)).toEqual([field]);
  });

  test('narrows a list', async () => {
    const ids = async (query: string) =>
      (await get(`/api/v1/accounts?${query}`)).body.data.map((row: { accountId: string }) => row.accountId);
    expect(await ids('customer=C2')).toEqual(['A1']);
    expect(await ids('bucket=31-60')).toEqual(['A1']);
    expect(await ids('dpdFrom=36')).toEqual([]);
    expect(await ids('status=active&currency=EUR&dpdFrom=35&dpdTo=35')).toEqual(['A1']);
    expect(await ids('customer=nobody')).toEqual([]);
    expect((await get('/api/v1/loans/delinquent?dpd=36')).body).toEqual({ data: [], next: null });
    expect((await get('/api/v1/loans/delinquent?status=paid_off')).body.data).toEqual([]);
    expect((await get('/api/v1/customers?verified=true')).body.data).toEqual([]);
    expect((await get('/api/v1/conversations?status=decided')).body.data).toEqual([]);
  });

  test.each([
    ...['/api/v1/customers/nobody', '/api/v1/customers/nobody/timeline', '/api/v1/accounts/nobody'],
    ...['/api/v1/accounts/nobody/schedule', '/api/v1/conversations/nobody', '/api/customers/nobody'],
    ...['/api/customer/nobody', '/api/loans/nobody', '/api/v1/customers/C1/secrets', '/api/v1/search/all'],
    ...['/api/v1/loans', '/api/v1/loans/A1', '/api/v1/stats', '/api/customers', '/api/loans', '/api/search'],
    ...['/api/search/users?q=C1', '/api/customer/C1/secrets', '/api/v1/customers/%00', '/api/customer'],
  ])('%s is not there', async (path) => {
    expectProblem(await get(path), 404, 'not_found');
  });
});

describe('the earlier systems', () => {
  const loan = {
    accountId: 'A1',
    accountNumber: 'LN-7001',
    customerId: 'C1',
    status: 'active',
    currency: 'EUR',
    loanAmount: 300,
    currentBalance: 9999999999999.99,
    arrearsAmount: 40.1,
    daysPastDue: 35,
    agingBucket: null,
    openedAt: '2026-01-04T23:00:00.000Z',
    closedAt: null,
  };

  test('have a customer bare', async () => {
    const expected = {
      customerId: 'C1',
      cif: 'CIF-1',
      firstName: 'Ximena',
      lastName: 'Ruizdez',
      fullName: 'Ximena Ruizdez',
      emailAddress: 'ximena@example.com',
      mobilePhoneNumber: '+34 600 123 456',
      dateOfBirth: '1990-02-03',
      ekycStatus: null,
      verified: false,
      residentialAddress: address,
      mailingAddress: null,
    };
    expect((await get('/api/customers/CIF-1')).body).toEqual(expected);
    expect((await get('/api/customer/C1')).body).toEqual(expected);
  });

  test('have loans as arrays, amounts as numbers with all their digits', async () => {
    for (const path of ['/api/customers/CIF-1/loans', '/api/customer/C0/loan-accounts']) {
      const { body } = await get(path);
      expect(body).toHaveLength(2);
      expect(body[1]).toEqual(loan);
    }
    const late = await get('/api/loans/delinquent?dpd=30&status=active');
    expect(late.body).toEqual([loan]);
    expect(late.text).toContain('"currentBalance":9999999999999.99,');
    expect(late.text).toContain('"loanAmount":300.00,');
    expect((await get('/api/customers/nobody/loans')).body).toEqual([]);
  });

  test('have a loan with its schedule', async () => {
    const { body } = await get('/api/loans/LN-7001');
    expect(body).toMatchObject({
      ...loan,
      loanFee: 12.5,
      lastPaymentAmount: 20,
      schedule: {
        scheduleId: 'S1',
        payments: [{ paymentNumber: 1, dueDate: '2021-01-01', amount: 100 }, {}, {}],
      },
    });
  });

  test('search by collection', async () => {
    expect((await get('/api/search/customers?q=ximena%20ruisdez')).body).toMatchObject([
      { customerId: 'C1' },
    ]);
    expect((await get('/api/search/loan-accounts?q=LN-700')).body).toEqual([
      {
        accountId: 'A1',
        accountNumber: 'LN-7001',
        status: 'active',
        customerId: 'C1',
        fullName: 'Ximena Ruizdez',
      },
      {
        accountId: 'A2',
        accountNumber: 'LN-7002',
        status: null,
        customerId: 'C1',
        fullName: 'Ximena Ruizdez',
      },
    ]);
    expect((await get('/api/search/conversations?q=v2')).body).toEqual([
      { conversationId: 'V2', status: 'open', customerId: 'C3', fullName: 'Cy Youngling' },
    ]);
  });
});

test('the figures of the day are for who may see the whole system', async () => {
  const { status, body } = await get('/api/v1/stats/overview', operations);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    received: { totals: [], byChannel: [] },
    arrears: [{ bucket: '31-60', currency: 'EUR', count: 1, amount: '40.10' }],
    lag: {
      staging: { waiting: 0 },
      outbox: [{ destination: 'log' }, { destination: 'ledger' }, { destination: 'requests' }],
    },
  });
  expectProblem(await get('/api/v1/stats/overview'), 404, 'not_found');
});
