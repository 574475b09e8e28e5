// Staff and services read what was recorded: only with a live key that may, exactly as it was sent, page by page.

import { beforeAll, describe, expect, test } from 'vitest';
import {
  type Answer,
  aPayment,
  ask,
  deliver,
  eventually,
  expectProblem,
  newReference,
  read,
  tally,
} from './asking.ts';
import { oneRuntime } from './runtimes.ts';
import { useWorld } from './world.ts';

const revokedWithinMs = 5_000;

describe.each(oneRuntime)('on %s', (runtime) => {
  const world = useWorld(runtime);
  let token: string;
  let shortLived: { token: string; until: number };
  let revoked: { token: string; at: number };

  const get = (path: string, as: string | undefined = token) => read(world.edge, path, as);
  const list = async (path: string): Promise<{ data: Answer['body'][]; next: string | null }> => {
    const answer = await get(path);
    expect(answer.status, answer.text).toBe(200);
    expect(Object.keys(answer.body).sort()).toEqual(['data', 'next']);
    return answer.body;
  };
  /** Every page of a list, from the first to the last. */
  const pages = async (path: string): Promise<Answer['body'][][]> => {
    const found: Answer['body'][][] = [];
    for (let next: string | null = ''; next !== null; ) {
      const after: string = next && `&after=${encodeURIComponent(next)}`;
      const page = await list(`${path}${after}`);
      found.push(page.data);
      next = page.next;
      expect(found.length).toBeLessThan(50);
    }
    return found;
  };
  const record = async (...bodies: ReturnType<typeof aPayment>[]) => {
    const answers = await Promise.all(bodies.map((body) => deliver(world.edge, body)));
    expect(tally(answers)).toEqual({ 201: bodies.length });
    return answers.map((answer) => answer.body.payment_id as string);
  };

  beforeAll(async () => {
    token = await world.newKey(['payments:read']);
    const until = Date.now() + 2_000;
    shortLived = { token: await world.newKey(['payments:read'], new Date(until)), until };
    revoked = { token: await world.newKey(['payments:read']), at: 0 };
    for (const key of [shortLived.token, revoked.token]) {
      expectProblem(await get('/api/v1/payments/nothing', key), 404, 'not_found');
    }
    await world.db.query('update staff.api_keys set revoked_at = now() where prefix = $1', [
      revoked.token.split('_')[1],
    ]);
    revoked.at = Date.now();
  });

  describe('keys', () => {
    const paths = [
      '/api/v1/payments/REF-1',
      '/api/v1/payments/loan/LN-1001',
      '/api/v1/payments/customer/CIF-77',
      '/api/v1/payment-conflicts',
      '/api/v1/payment-conflicts/00000000-0000-4000-8000-000000000000',
      '/api/v1/payment-reversals',
      '/api/v1/payment-reversals/00000000-0000-4000-8000-000000000000',
      '/api/payments/REF-1',
      '/api/payments/loan/LN-1001',
      '/api/payments/customer/CIF-77',
      '/metrics',
    ];

    test('without a key, or with something else, there is nothing to read', async () => {
      const whole = (header: string) => ({ authorization: header });
      const unknownKey = `rk_${'0'.repeat(12)}_${'0'.repeat(43)}`;
      const wrong: Record<string, string>[] = [
        {},
        whole('garbage'),
        whole('Bearer'),
        whole('Bearer garbage'),
        whole(`Basic ${btoa('user:password')}`),
        whole(`Bearer ${unknownKey}`),
        whole(`Bearer ${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`),
        whole(`Bearer ${token}x`),
        whole(`Bearer ${token.toUpperCase()}`),
        whole(token),
        { 'x-api-key': token },
        { cookie: `authorization=Bearer ${token}` },
      ];
      for (const headers of wrong) {
        const answer = await ask(`${world.edge.urls.api}${paths[0]}`, { headers });
        expect([answer.status, JSON.stringify(headers)]).toEqual([401, JSON.stringify(headers)]);
        expect(answer.headers.get('www-authenticate')).toBe('Bearer');
        expectProblem(answer, 401, 'unauthenticated');
      }
      for (const path of [...paths, '/api/v1/auth/me']) {
        expectProblem(await read(world.edge, path), 401, 'unauthenticated');
      }
      expect((await get(`${paths[0]}?token=${token}`, 'garbage')).status).toBe(401);
    });

    test('a key that has expired is no key', async () => {
      const expired = await world.newKey(['payments:read'], new Date(Date.now() - 1000));
      for (const path of paths) expectProblem(await get(path, expired), 401, 'unauthenticated');
    });

    test('a key without the permission finds what a key with it finds of something unknown', async () => {
      const [reference, id] = [newReference(), '00000000-0000-4000-8000-000000000000'];
      await record(aPayment({ reference_number: reference }));
      const metricsOnly = await world.newKey(['metrics:read']);
      const shape = ({ status, headers, body }: Answer) => ({
        status,
        headers: [...headers].filter(([name]) => !['date', 'x-request-id', 'connection'].includes(name)),
        body: { ...body, requestId: '' },
      });
      const unknown = shape(await get('/api/v1/payments/unknown'));
      expect(unknown.status).toBe(404);
      expect(shape(await get(`/api/v1/payment-conflicts/${id}`))).toEqual(unknown);
      for (const path of [
        `/api/v1/payments/${reference}`,
        '/api/v1/payments/unknown',
        ...paths.slice(1, -1),
      ]) {
        expect(shape(await get(path, metricsOnly)), path).toEqual(unknown);
      }
      expect(shape(await get('/metrics'))).toEqual(unknown);
      expect(shape(await get('/api/v1/payments/loan/LN-1001?limit=0', metricsOnly))).toEqual(unknown);
    });

    test('a key says who it is, and nothing of its secret', async () => {
      const expiresAt = new Date(Date.now() + 3_600_000);
      const key = await world.newKey(['payments:read', 'metrics:read'], expiresAt);
      const me = await get('/api/v1/auth/me', key);
      expect(me.status).toBe(200);
      expect(me.body).toEqual({
        kind: 'api_key',
        prefix: key.split('_')[1],
        name: 'edge suite',
        scopes: ['payments:read', 'metrics:read'],
        expiresAt: expect.any(String),
      });
      expect(new Date(me.body.expiresAt).getTime()).toBe(expiresAt.getTime());
      expect(me.text).not.toContain(key.split('_')[2]);
      expect((await get('/api/v1/auth/me')).body.expiresAt).toBe(null);
    });
  });

  describe('one payment', () => {
    test('is told exactly as it came', async () => {
      const reference = newReference();
      const body =
        `{"reference_number":"${reference}","loan_account_number":"LN-7","cif":"CIF-7","amount":100.50,` +
        `"payment_date":"2026-03-29T02:30:00.123456","payment_channel":"counter","metadata":` +
        `{"big":123456789012345678901234567890,"tenth":0.1,"fine":1.000000000000000000001,"deep":[{"a":null}],"t":"ä"}}`;
      const { body: recorded } = await deliver(world.edge, body);
      const answer = await get(`/api/v1/payments/${reference}`);
      expect(answer.text).toContain('"big":123456789012345678901234567890');
      expect(answer.text).toContain('"fine":1.000000000000000000001');
      expect(answer.body).toEqual({
        id: recorded.payment_id,
        namespace: 'default',
        referenceNumber: reference,
        loanAccountNumber: 'LN-7',
        cif: 'CIF-7',
        amount: '100.50',
        currency: 'EUR',
        // The clock skips this half hour; milliseconds are kept.
        paymentDate: '2026-03-29T01:30:00.123Z',
        paymentChannel: 'counter',
        source: 'webhook',
        metadata: JSON.parse(body).metadata,
        linkedPaymentId: null,
        requiresReceipt: false,
        status: 'received',
        reversedAmount: '0.00',
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        history: [
          {
            type: 'received',
            at: answer.body.createdAt,
            actor: 'channel:standard',
            source: 'webhook',
            amount: '100.50',
            currency: 'EUR',
          },
        ],
        others: [],
        postings: [],
      });
      expect(Math.abs(Date.parse(answer.body.createdAt) - Date.now())).toBeLessThan(60_000);
    });

    test.each([
      ['100.50', 'EUR', '100.50'],
      ['100', 'EUR', '100.00'],
      ['1e2', 'JPY', '100'],
      ['1.234', 'KWD', '1.234'],
      ['0.0001', 'CLF', '0.0001'],
      ['9999999999999.99', 'USD', '9999999999999.99'],
    ])('of %s %s has the amount "%s"', async (amount, currency, told) => {
      const reference = newReference();
      await record(aPayment({ reference_number: reference, amount, currency }));
      expect((await get(`/api/v1/payments/${reference}`)).body).toMatchObject({ amount: told, currency });
    });

    test.each([
      'INV/2026/03',
      '100%',
      '%2F',
      '%',
      'a%20b',
      'a%00b',
      'with space',
      'a+b&c=d;e',
      'what?#fragment',
      'quote"\'<b>',
      'back\\slash',
      '../../etc/passwd',
      'Ünï-çödé-名前-😀',
      'e\u0301 is not \u00e9',
      "'; drop table payments; --",
      'loan',
      'webhook',
      'x'.repeat(255),
    ])('is found by the reference %j', async (reference) => {
      const [id] = await record(aPayment({ reference_number: reference }));
      const answer = await get(`/api/v1/payments/${encodeURIComponent(reference)}`);
      expect(answer.status, answer.text).toBe(200);
      expect(answer.body).toMatchObject({ id, referenceNumber: reference });
    });

    test.each([
      'payments/unknown',
      'payments/%ff',
      'payments/%E0%A4%A',
      'payments/a%00b',
      'payments/loan/%00',
      'payments/loan/x?channel=a%00b',
      'payment-conflicts?reference=%00',
    ])('is not found by %j', async (path) => {
      expectProblem(await get(`/api/v1/${path}`), 404, 'not_found');
    });
  });

  describe('lists', () => {
    const loan = 'LN/%-ü';
    const customer = 'CIF-lists';
    const loanPath = `/api/v1/payments/loan/${encodeURIComponent(loan)}`;
    const customerPath = `/api/v1/payments/customer/${customer}`;
    /** References in the order of the list: newest first. Several share an instant. */
    let expected: string[];

    beforeAll(async () => {
      const bodies = Array.from({ length: 23 }, (_, i) =>
        aPayment({
          loan_account_number: loan,
          cif: customer,
          payment_date: `2026-02-${String(1 + Math.floor(i / 4)).padStart(2, '0')}T12:00:00.00${i % 2}Z`,
          payment_channel: i % 3 ? 'bank' : 'counter',
        }),
      );
      const ids = await record(...bodies);
      await record(aPayment({ loan_account_number: loan, cif: 'CIF-other', payment_date: '2025-01-01' }));
      await record(aPayment({ loan_account_number: 'LN-other', cif: customer, payment_date: '2025-01-02' }));
      expected = bodies
        .map(({ payment_date, reference_number }, i) => ({ payment_date, reference_number, id: ids[i]! }))
        .sort((a, b) => b.payment_date.localeCompare(a.payment_date) || (a.id < b.id ? 1 : -1))
        .map((payment) => payment.reference_number);
    });
    const referencesOf = (rows: Answer['body'][]) => rows.map((row) => row.referenceNumber);

    test('of a loan and of a customer have their own payments, newest first', async () => {
      const ofLoan = await list(loanPath);
      expect(referencesOf(ofLoan.data).slice(0, 23)).toEqual(expected);
      expect(ofLoan.data).toHaveLength(24);
      expect(ofLoan.next).toBe(null);
      expect(ofLoan.data.at(-1)).toMatchObject({ cif: 'CIF-other' });
      const ofCustomer = await list(customerPath);
      expect(referencesOf(ofCustomer.data).slice(0, 23)).toEqual(expected);
      expect(ofCustomer.data.at(-1)).toMatchObject({ loanAccountNumber: 'LN-other' });
      expect(await list('/api/v1/payments/loan/nobody')).toEqual({ data: [], next: null });
    });

    test('come in pages that are complete and repeat nothing', async () => {
      for (const limit of [1, 4, 5, 23, 24, 25, 200]) {
        const found = await pages(`${loanPath}?limit=${limit}`);
        expect(referencesOf(found.flat()).slice(0, 23), `limit ${limit}`).toEqual(expected);
        expect(found.flat()).toHaveLength(24);
        for (const page of found.slice(0, -1)) expect(page).toHaveLength(limit);
        expect(found.at(-1)?.length).toBeGreaterThan(0);
      }
    });

    test('do not shift when a payment is recorded while they are read', async () => {
      const own = 'LN-shift';
      const dated = (day: string) => aPayment({ loan_account_number: own, payment_date: day });
      await record(dated('2026-02-01'), dated('2026-02-02'), dated('2026-02-03'));
      const first = await list(`/api/v1/payments/loan/${own}?limit=2`);
      await record(dated('2026-02-04'));
      const second = await list(
        `/api/v1/payments/loan/${own}?limit=2&after=${encodeURIComponent(first.next!)}`,
      );
      const days = [...first.data, ...second.data].map((row) => row.paymentDate.slice(0, 10));
      // Midnight in Berlin is the evening before in UTC.
      expect(days).toEqual(['2026-02-02', '2026-02-01', '2026-01-31']);
    });

    test('can be narrowed to a channel, and paged then', async () => {
      const found = (await pages(`${customerPath}?limit=3&channel=counter`)).flat();
      expect(found).toHaveLength(8);
      expect(new Set(found.map((row) => row.paymentChannel))).toEqual(new Set(['counter']));
      expect((await list(`${customerPath}?channel=nobody`)).data).toEqual([]);
    });

    test('are narrowed by calendar days of the business zone, both included', async () => {
      const own = 'LN-days';
      // First and last millisecond of the days on which the clock changes in Berlin, and their neighbours.
      const instants = [
        '2026-03-28T22:59:59.999Z',
        '2026-03-28T23:00:00.000Z',
        '2026-03-29T21:59:59.999Z',
        '2026-03-29T22:00:00.000Z',
        '2026-10-24T21:59:59.999Z',
        '2026-10-24T22:00:00.000Z',
        '2026-10-25T22:59:59.999Z',
        '2026-10-25T23:00:00.000Z',
      ];
      await record(...instants.map((at) => aPayment({ loan_account_number: own, payment_date: at })));
      const found = async (query: string) =>
        (await list(`/api/v1/payments/loan/${own}?${query}`)).data.map((row) => row.paymentDate).reverse();
      expect(await found('from=2026-03-29&to=2026-03-29')).toEqual(instants.slice(1, 3));
      expect(await found('from=2026-10-25&to=2026-10-25')).toEqual(instants.slice(5, 7));
      expect(await found('to=2026-03-28')).toEqual(instants.slice(0, 1));
      expect(await found('from=2026-10-26')).toEqual(instants.slice(7));
      expect(await found('from=2026-03-30&to=2026-10-24')).toEqual(instants.slice(3, 5));
      expect(await found('from=2026-03-30&to=2026-03-28')).toEqual([]);
      expect(await found('from=0001-01-01&to=9999-12-31')).toEqual(instants);
    });

    test.each([
      ['limit=0&from=2026-02-30&to=yesterday&after=x', ['after', 'from', 'limit', 'to']],
      ['limit=201', ['limit']],
      ['limit=-1', ['limit']],
      ['limit=1.5', ['limit']],
      ['limit=', ['limit']],
      ['from=2026-1-1', ['from']],
      ['from=2026-01-01T00:00:00Z', ['from']],
      ['to=', ['to']],
      [`after=${encodeURIComponent(btoa("2026-01-01T00:00:00.000000Z|'; select 1"))}`, ['after']],
      [
        `after=${encodeURIComponent(btoa('2026-13-45T00:00:00.000000Z|00000000-0000-4000-8000-000000000000'))}`,
        ['after'],
      ],
      [
        `after=${encodeURIComponent(btoa('2026-01-01T00:00:00.000000Z|------------------------------------'))}`,
        ['after'],
      ],
    ])('refuse %s and name every fault', async (query, fields) => {
      for (const path of [loanPath, customerPath]) {
        const { errors } = expectProblem(await get(`${path}?${query}`), 400, 'invalid_query');
        expect(errors.map((error: { field: string }) => error.field).sort()).toEqual(fields);
        for (const error of errors) {
          expect(error).toEqual({
            field: error.field,
            code: expect.any(String),
            message: expect.any(String),
          });
        }
      }
    });

    test('of conflicts are paged, narrowed and refused alike', async () => {
      const path = '/api/v1/payment-conflicts';
      const bodies = Array.from({ length: 5 }, () => aPayment({ cif: 'CIF-conflicts' }));
      await record(...bodies);
      const conflicts: string[] = [];
      for (const body of bodies) {
        conflicts.push((await deliver(world.edge, { ...body, amount: '1.00' })).body.conflict_id);
      }
      const found = (await pages(`${path}?limit=2&status=open`)).flat();
      expect(found.map((row) => row.id)).toEqual(conflicts.toReversed());
      expect((await list(`${path}?status=dismissed`)).data).toEqual([]);
      expect((await list(`${path}?reference=${bodies[0]!.reference_number}`)).data).toMatchObject([
        { id: conflicts[0] },
      ]);
      const { errors } = expectProblem(await get(`${path}?status=new&limit=x`), 400, 'invalid_query');
      expect(errors.map((error: { field: string }) => error.field).sort()).toEqual(['limit', 'status']);
      expectProblem(await get(`${path}/no-uuid`), 404, 'not_found');
    });
  });

  test('a key that expires while it is in use ends then', async () => {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, shortLived.until - Date.now() + 50)));
    expectProblem(await get('/api/v1/payments/nothing', shortLived.token), 401, 'unauthenticated');
  });

  test('a key that was revoked ends within five seconds', async () => {
    const left = revoked.at + revokedWithinMs + 250 - Date.now();
    const answer = await eventually(
      () => get('/api/v1/payments/nothing', revoked.token),
      ({ status }) => status === 401,
      left,
    );
    expectProblem(answer, 401, 'unauthenticated');
  });
});
