// Staff and services record payments and take them back: exactly, once, and never more than was paid.

import { beforeAll, describe, expect, test } from 'vitest';
import { recordFailures } from '../../shared/payments/record-failures.ts';
import {
  type Answer,
  aPayment,
  ask,
  bytesOf,
  deliver,
  expectProblem,
  newReference,
  read,
  tally,
} from './asking.ts';
import { oneRuntime } from './runtimes.ts';
import { useWorld } from './world.ts';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** A payment as staff send it, under a new reference. */
const aRequest = (changes: Record<string, unknown> = {}) => ({
  referenceNumber: newReference(),
  loanAccountNumber: 'LN-1001',
  cif: 'CIF-77',
  amount: '100.50',
  currency: 'EUR',
  paymentDate: '2026-03-10T09:30:00+01:00',
  ...changes,
});

describe.each(oneRuntime)('on %s', (runtime) => {
  const world = useWorld(runtime);
  let clerk: string;
  let another: string;
  let reader: string;
  beforeAll(async () => {
    clerk = await world.newKey(['payments:read', 'payments:record', 'payments:reverse']);
    another = await world.newKey(['payments:read', 'payments:record', 'payments:reverse']);
    reader = await world.newKey(['payments:read']);
  });

  const post = (path: string, body: unknown, headers: Record<string, string> = {}, token = clerk) =>
    ask(`${world.edge.urls.api}${path}`, {
      method: 'POST',
      body: bytesOf(body),
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    });
  const record = (body: unknown, headers?: Record<string, string>, token?: string) =>
    post('/api/v1/payments', body, headers, token);
  const reverse = (reference: string, body: unknown, headers?: Record<string, string>, token?: string) =>
    post(`/api/v1/payments/${encodeURIComponent(reference)}/reversal`, body, headers, token);
  const get = (path: string, token = clerk) => read(world.edge, path, token);
  const withKey = (key: string = crypto.randomUUID()) => ({ 'idempotency-key': key });
  const paymentsOf = async (reference: string) => {
    const [row] = await world.db.query<{ n: number }>(
      'select count(*)::int as n from payment_service.payments where reference_number = $1',
      [reference],
    );
    return row?.n;
  };

  describe('recording', () => {
    test('a payment is answered as it can be read, and found where the answer says', async () => {
      const request = aRequest({ metadata: { note: 'ä' }, requiresReceipt: true, paymentChannel: 'counter' });
      const answer = await record(request);
      expect(answer.status, answer.text).toBe(201);
      expect(answer.body).toEqual({
        id: expect.stringMatching(uuid),
        namespace: 'default',
        referenceNumber: request.referenceNumber,
        loanAccountNumber: 'LN-1001',
        cif: 'CIF-77',
        amount: '100.50',
        currency: 'EUR',
        paymentDate: '2026-03-10T08:30:00.000Z',
        paymentChannel: 'counter',
        source: 'api',
        metadata: { note: 'ä' },
        linkedPaymentId: null,
        requiresReceipt: true,
        status: 'received',
        reversedAmount: '0.00',
        createdAt: expect.stringMatching(instant),
        postings: [],
        history: [
          {
            type: 'received',
            at: answer.body.createdAt,
            actor: `key:${clerk.split('_')[1]}`,
            source: 'api',
            amount: '100.50',
            currency: 'EUR',
          },
        ],
        others: [],
      });
      const location = answer.headers.get('location') ?? '';
      expect(location).toBe(`/api/v1/payments/${request.referenceNumber}`);
      expect((await get(location)).text).toBe(answer.text);
    });

    test('again, also by webhook, is the same payment', async () => {
      const request = aRequest();
      const first = await record(request);
      const again = await record({ ...request, amount: 100.5, paymentDate: '2026-03-10' });
      expect(again.status).toBe(200);
      expect(again.text).toBe(first.text);
      const webhook = aPayment({ reference_number: request.referenceNumber });
      expect((await deliver(world.edge, webhook)).body).toEqual({
        status: 'duplicate',
        payment_id: first.body.id,
      });
    });

    test('a payment whose month was exported is known all the same', async () => {
      const request = aRequest();
      const { id } = (await record(request)).body;
      await world.db.query('delete from payment_service.payments where id = $1', [id]);
      const again = await record(request);
      expect([again.status, again.body]).toEqual([
        200,
        { id, referenceNumber: request.referenceNumber, exported: true },
      ]);
      const reversed = await reverse(request.referenceNumber, { reason: 'late' }, withKey());
      expect(reversed.body).toMatchObject({ status: 'applied', payment: { id, status: 'reversed' } });
    });

    test('a reference of which only attempts are known has failed, and can still be paid', async () => {
      const request = aRequest();
      const failure = {
        namespace: 'default',
        referenceNumber: request.referenceNumber,
        failureReference: 'evt-1',
        loanAccountNumber: 'LN-1001',
        cif: null,
        amount: null,
        reason: 'insufficient_funds',
        occurredAt: new Date('2026-03-09T08:00:00Z'),
        paymentChannel: 'standard',
        source: 'webhook',
        actor: 'channel:standard',
      } as const;
      await recordFailures(world.db, [failure]);
      const failed = { id: null, status: 'failed', amount: null, history: [{ type: 'failed' }] };
      expect((await get(`/api/v1/payments/${request.referenceNumber}`)).body).toMatchObject(failed);
      expect((await get(`/api/payments/${request.referenceNumber}`)).body).toMatchObject(failed);
      const paid = await record(request);
      expect(paid.status).toBe(201);
      expect(paid.body).toMatchObject({
        status: 'received',
        history: [{ type: 'failed' }, { type: 'received' }],
      });
    });

    test('a known reference with other facts is a conflict, kept for staff', async () => {
      const request = aRequest();
      const first = await record(request);
      const conflict = expectProblem(await record({ ...request, amount: '1.00' }), 409, 'payment_conflict');
      expect(conflict).toMatchObject({ paymentId: first.body.id, conflictId: expect.stringMatching(uuid) });
      expect((await get(`/api/v1/payment-conflicts/${conflict.conflictId}`)).body).toMatchObject({
        status: 'open',
        received: { amount: '1.00', source: 'api', paymentChannel: 'api' },
      });
    });

    test.each([
      ['100', 'JPY', '100'],
      ['"1.234"', 'KWD', '1.234'],
      ['0.0001', 'CLF', '0.0001'],
      ['9999999999999.99', 'USD', '9999999999999.99'],
      ['1e2', undefined, '100.00'],
    ])('%s %s is kept as %s, to the digit', async (amount, currency, told) => {
      const { amount: _, ...rest } = aRequest({ currency, metadata: {} });
      const text = `{"amount": ${amount}, ${JSON.stringify(rest).slice(1)}`.replace(
        '"metadata":{}',
        '"metadata":{"fine":1.000000000000000000001}',
      );
      const answer = await record(text);
      expect(answer.status, answer.text).toBe(201);
      expect(answer.body).toMatchObject({ amount: told, currency: currency ?? 'EUR' });
      expect(answer.text).toContain('"fine":1.000000000000000000001');
      const plain = await get(`/api/payments/${rest.referenceNumber}`);
      expect(plain.text).toContain(`"amount":${told},`);
    });

    test('a namespace of its own is another payment; that of an accepted conflict cannot be named', async () => {
      const request = aRequest();
      const ours = await record(request);
      const theirs = await record({ ...request, namespace: 'partner' });
      expect([ours.status, theirs.status]).toEqual([201, 201]);
      expect(theirs.body).toMatchObject({ namespace: 'partner', others: [{ id: ours.body.id }] });
      for (const namespace of [`conflict:${crypto.randomUUID()}`, 'Partner', '', 7]) {
        const refusal = expectProblem(await record({ ...request, namespace }), 422, 'invalid_request');
        expect(refusal.errors).toMatchObject([{ field: 'namespace' }]);
      }
      expect(await paymentsOf(request.referenceNumber)).toBe(2);
    });

    test('what is wrong is named, every fault at once, and nothing is recorded', async () => {
      const wrong = { loanAccountNumber: 7, amount: '1.005', requiresReceipt: 'yes', paymentDate: 'today' };
      const refusal = expectProblem(await record(aRequest(wrong)), 422, 'invalid_request');
      expect(refusal.errors.map((error: { field: string }) => error.field).sort()).toEqual([
        'amount',
        'loanAccountNumber',
        'paymentDate',
        'requiresReceipt',
      ]);
      expect(refusal.errors).toContainEqual({
        field: 'amount',
        code: 'too_many_decimals',
        message: expect.any(String),
      });
      const empty = expectProblem(await record('[]'), 422, 'invalid_request');
      expect(empty.errors).toHaveLength(5);
      expect(expectProblem(await record('{"a":'), 400, 'malformed_body').detail).toMatch(/./);
      expectProblem(await record('{"cif":"\\u0000"}'), 400, 'malformed_body');
      expectProblem(
        await record(aRequest(), { 'content-type': 'text/plain' }),
        415,
        'unsupported_media_type',
      );
      expectProblem(await record(aRequest({ metadata: { t: 'x'.repeat(70_000) } })), 413, 'body_too_large');
    });

    test('needs its own permission, and without it looks like nothing', async () => {
      const request = aRequest();
      for (const path of ['/api/v1/payments', '/api/payments', '/api/payments/notification']) {
        expectProblem(await post(path, request, {}, reader), 404, 'not_found');
        expectProblem(await post(path, request, {}, 'nobody'), 401, 'unauthenticated');
      }
      expectProblem(await reverse(request.referenceNumber, {}, withKey(), reader), 404, 'not_found');
      expectProblem(await reverse(request.referenceNumber, {}, withKey(), 'nobody'), 401, 'unauthenticated');
      expect(await paymentsOf(request.referenceNumber)).toBe(0);
    });
  });

  describe('an Idempotency-Key', () => {
    test('repeats the first answer, whatever has become of the payment since', async () => {
      const [request, key] = [aRequest(), withKey()];
      const first = await record(request, key);
      expect([first.status, first.headers.get('idempotency-replayed')]).toEqual([201, null]);
      await reverse(request.referenceNumber, { reason: 'test' }, withKey());
      // Another order of fields and other white space, the same request.
      const again = await record(
        JSON.stringify(Object.fromEntries(Object.entries(request).reverse()), null, 2),
        key,
      );
      expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 'true']);
      expect(again.text).toBe(first.text);
      expect(again.headers.get('location')).toBe(first.headers.get('location'));
      expect((await record(request)).body.status).toBe('reversed');
    });

    test('repeats a refusal that told of what is recorded', async () => {
      const request = aRequest();
      await record(request);
      const key = withKey();
      const first = await record({ ...request, amount: '2.00' }, key);
      const again = await record({ ...request, amount: '2.00' }, key);
      const { requestId: _, ...told } = expectProblem(first, 409, 'payment_conflict');
      expect(expectProblem(again, 409, 'payment_conflict')).toMatchObject(told);
      expect(again.headers.get('idempotency-replayed')).toBe('true');
      expect((await get(`/api/v1/payment-conflicts/${told.conflictId}`)).body.timesSeen).toBe(1);
    });

    test('stands for one request of one caller at one path', async () => {
      const [request, key] = [aRequest(), withKey()];
      await record(request, key);
      const other = aRequest();
      expectProblem(await record(other, key), 422, 'idempotency_key_reused');
      expectProblem(await record({ ...request, metadata: { a: 1 } }, key), 422, 'idempotency_key_reused');
      expectProblem(await post('/api/payments', request, key), 422, 'idempotency_key_reused');
      expectProblem(
        await reverse(request.referenceNumber, { reason: 'x' }, key),
        422,
        'idempotency_key_reused',
      );
      expect(await paymentsOf(other.referenceNumber)).toBe(0);
      expect((await record(other, key, another)).status).toBe(201);
      expect((await get(`/api/v1/payments/${request.referenceNumber}`)).body.status).toBe('received');
    });

    test('is not bound by a request that is wrong, and must be one', async () => {
      const key = withKey();
      expectProblem(await record({}, key), 422, 'invalid_request');
      expect((await record(aRequest(), key)).status).toBe(201);
      for (const bad of ['a b', 'x'.repeat(256), '']) {
        const refusal = expectProblem(await record(aRequest(), withKey(bad)), 422, 'invalid_request');
        expect(refusal.errors).toMatchObject([{ field: 'Idempotency-Key' }]);
      }
    });

    test('sent many times at once, is one payment and one answer', async () => {
      const [request, key] = [aRequest(), withKey()];
      const answers = await Promise.all(Array.from({ length: 12 }, () => record(request, key)));
      expect(tally(answers)).toEqual({ 201: 12 });
      expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
      expect(answers.filter((answer) => answer.headers.get('idempotency-replayed') === null)).toHaveLength(1);
      expect(await paymentsOf(request.referenceNumber)).toBe(1);
    });

    test('survives an outage: what was asked for is done once when the database is back', async () => {
      const [request, key] = [aRequest(), withKey()];
      // The caller is known to this isolate for a moment.
      await get('/api/v1/payments/unknown');
      await world.gates.postgres.goAway();
      expectProblem(await record(request, key), 503, 'unavailable');
      await world.gates.postgres.comeBack();
      const answer = await record(request, key);
      expect(answer.status, answer.text).toBe(201);
      expect((await record(request, key)).text).toBe(answer.text);
      expect(await paymentsOf(request.referenceNumber)).toBe(1);
    });
  });

  describe('reversing', () => {
    const recorded = async (changes: Record<string, unknown> = {}) => {
      const request = aRequest(changes);
      const answer = await record(request);
      expect(answer.status, answer.text).toBe(201);
      return { ...request, id: answer.body.id as string };
    };

    test('in parts and then the rest tells what has become of the payment each time', async () => {
      const { referenceNumber: reference, id } = await recorded();
      const part = await reverse(reference, {
        amount: 0.5,
        currency: 'EUR',
        reason: 'fee',
        reversalReference: 'RV-1',
      });
      expect(part.status, part.text).toBe(201);
      expect(part.body).toEqual({
        id: expect.stringMatching(uuid),
        status: 'applied',
        refusal: null,
        namespace: 'default',
        referenceNumber: reference,
        reversalReference: 'RV-1',
        paymentId: id,
        amount: '0.50',
        appliedAmount: '0.50',
        currency: 'EUR',
        reason: 'fee',
        source: 'api',
        actor: `key:${clerk.split('_')[1]}`,
        occurredAt: expect.stringMatching(instant),
        settledAt: expect.stringMatching(instant),
        createdAt: expect.stringMatching(instant),
        payment: {
          id,
          status: 'partially_reversed',
          amount: '100.50',
          currency: 'EUR',
          reversedAmount: '0.50',
          leftAmount: '100.00',
        },
      });
      const found = await get(part.headers.get('location') ?? '');
      expect({ ...found.body, payment: part.body.payment }).toEqual(part.body);

      const key = withKey();
      const rest = await reverse(reference, { reason: 'chargeback' }, key);
      expect(rest.status, rest.text).toBe(201);
      expect(rest.body).toMatchObject({
        amount: null,
        appliedAmount: '100.00',
        currency: 'EUR',
        reversalReference: key['idempotency-key'],
        payment: { status: 'reversed', reversedAmount: '100.50', leftAmount: '0.00' },
      });
      const { body } = await get(`/api/v1/payments/${reference}`);
      expect(body).toMatchObject({ status: 'reversed', reversedAmount: '100.50' });
      expect(body.history.map((entry: Answer['body']) => [entry.type, entry.amount, entry.reason])).toEqual([
        ['received', '100.50', undefined],
        ['reversed', '0.50', 'fee'],
        ['reversed', '100.00', 'chargeback'],
      ]);
      const [listed] = (await get(`/api/v1/payments/loan/LN-1001?limit=200`)).body.data.filter(
        (row: Answer['body']) => row.id === id,
      );
      expect(listed).toMatchObject({ status: 'reversed', reversedAmount: '100.50' });
      expect(listed).not.toHaveProperty('history');
    });

    test('again is the same reversal, with a key and with a reference of its own', async () => {
      const { referenceNumber: reference } = await recorded();
      const body = { amount: '1.00', reason: 'fee', reversalReference: 'RV-1' };
      const first = await reverse(reference, body);
      const again = await reverse(reference, { ...body, reason: 'told in other words' });
      expect([first.status, again.status]).toEqual([201, 200]);
      expect(again.body).toEqual(first.body);
      const key = withKey();
      const keyed = await reverse(reference, { amount: '2.00', reason: 'fee' }, key);
      const replayed = await reverse(reference, { amount: '2.00', reason: 'fee' }, key);
      expect([keyed.status, replayed.status]).toEqual([201, 201]);
      expect(replayed.text).toBe(keyed.text);
      expect(replayed.headers.get('idempotency-replayed')).toBe('true');
      // When the key is forgotten it still is the reversal's reference.
      await world.db.query('delete from operations.idempotency_keys where key = $1', [
        key['idempotency-key'],
      ]);
      expect((await reverse(reference, { amount: '2.00', reason: 'fee' }, key)).status).toBe(200);
      expect((await get(`/api/v1/payments/${reference}`)).body.reversedAmount).toBe('3.00');
    });

    test('never takes more than was paid, and says what is left', async () => {
      const { referenceNumber: reference, id } = await recorded();
      const refused = async (body: object, why: object) => {
        const problem = expectProblem(await reverse(reference, body, withKey()), 409, 'reversal_refused');
        expect(problem).toMatchObject({ paymentId: id, currency: 'EUR', ...why });
      };
      const all = { reason: 'all', amount: '100.50' };
      await refused({ reason: 'x', amount: '100.51' }, { reason: 'exceeds_payment', leftAmount: '100.50' });
      await refused({ ...all, currency: 'USD' }, { reason: 'other_currency', leftAmount: '100.50' });
      expect((await reverse(reference, all, withKey())).status).toBe(201);
      await refused({ reason: 'x' }, { reason: 'nothing_left', leftAmount: '0.00' });
      expect((await get(`/api/v1/payment-reversals?reference=${reference}`)).body.data).toHaveLength(1);
    });

    test('under a reference that was used for another amount is refused', async () => {
      const { referenceNumber: reference } = await recorded();
      const body = { amount: '1.00', reason: 'fee', reversalReference: 'RV-1' };
      const { id } = (await reverse(reference, body)).body;
      const conflict = await reverse(reference, { ...body, amount: '2.00' });
      expect(expectProblem(conflict, 409, 'reversal_conflict').reversalId).toBe(id);
    });

    test('many at once take what was paid and nothing more', async () => {
      const { referenceNumber: reference } = await recorded({ amount: '5.00' });
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => reverse(reference, { amount: '1.00', reason: 'x' }, withKey())),
      );
      expect(tally(answers)).toEqual({ 201: 5, 409: 5 });
      expect((await get(`/api/v1/payments/${reference}`)).body).toMatchObject({ status: 'reversed' });
    });

    test('a payment that has not come is held, and applied when it comes', async () => {
      const reference = newReference();
      const body = { amount: '0.50', reason: 'bounced', reversalReference: 'RV-1' };
      const held = await reverse(reference, body);
      expect(held.status, held.text).toBe(202);
      expect(held.body).toMatchObject({ status: 'held', paymentId: null, settledAt: null, payment: null });
      expect((await reverse(reference, body)).status).toBe(200);
      expectProblem(await get(`/api/v1/payments/${reference}`), 404, 'not_found');
      const list = async (status: string) =>
        (await get(`/api/v1/payment-reversals?status=${status}&reference=${reference}`)).body.data;
      expect(await list('held')).toMatchObject([{ id: held.body.id }]);

      const came = await deliver(world.edge, aPayment({ reference_number: reference }));
      expect(came.status).toBe(201);
      expect(await list('held')).toEqual([]);
      expect(await list('applied')).toMatchObject([{ id: held.body.id, appliedAmount: '0.50' }]);
      const { body: payment } = await get(`/api/v1/payments/${reference}`);
      expect(payment).toMatchObject({ status: 'partially_reversed', reversedAmount: '0.50' });
      expect(payment.history.map((entry: Answer['body']) => entry.type)).toEqual(['received', 'reversed']);
    });

    test.each([
      ['JPY', '500', '499', '1'],
      ['KWD', '1.230', '0.001', '1.229'],
      ['CLF', '0.0003', '0.0001', '0.0002'],
    ])('in %s keeps every digit', async (currency, amount, taken, left) => {
      const { referenceNumber: reference } = await recorded({ currency, amount });
      const { body } = await reverse(reference, { currency, amount: taken, reason: 'x' }, withKey());
      expect(body).toMatchObject({ appliedAmount: taken, payment: { amount, leftAmount: left } });
    });

    test('what is wrong is named, and a reversal needs a name', async () => {
      const { referenceNumber: reference } = await recorded();
      const faults = async (body: unknown, headers = {}) =>
        expectProblem(await reverse(reference, body, headers), 422, 'invalid_request')
          .errors.map((error: { field: string }) => error.field)
          .sort();
      expect(await faults({})).toEqual(['reason', 'reversalReference']);
      expect(await faults({ reason: ' ', amount: '-1', currency: 'EUR' }, withKey())).toEqual([
        'amount',
        'reason',
      ]);
      expect(await faults({ reason: 'x', amount: '1', currency: 'euro' }, withKey())).toEqual(['currency']);
      expect(await faults({ reason: 'x', reversalReference: ' a', namespace: 'a:b' })).toEqual([
        'namespace',
        'reversalReference',
      ]);
      expectProblem(await reverse('x'.repeat(256), { reason: 'x' }, withKey()), 404, 'not_found');
      expect((await get(`/api/v1/payments/${reference}`)).body.reversedAmount).toBe('0.00');
    });

    test('the payment that an accepted conflict became is named by its namespace', async () => {
      const { referenceNumber: reference, id } = await recorded();
      const decider = await world.newKey(['conflicts:decide']);
      const other = await record(aRequest({ referenceNumber: reference, amount: '7.00' }));
      const path = `/api/v1/payment-conflicts/${other.body.conflictId}/accept`;
      const { paymentId } = (await post(path, {}, {}, decider)).body;
      const [accepted] = (await get(`/api/v1/payments/${reference}`)).body.others;
      const body = { reason: 'x', namespace: accepted.namespace };
      expect((await reverse(reference, body, withKey())).body).toMatchObject({
        paymentId,
        appliedAmount: '7.00',
      });
      expect((await get(`/api/v1/payments/${reference}`)).body).toMatchObject({ id, status: 'received' });
    });
  });

  test('a list of reversals comes in pages that are complete and repeat nothing', async () => {
    const reference = newReference();
    const ids: string[] = [];
    for (const n of [1, 2, 3, 4, 5]) {
      const held = await reverse(reference, { amount: `${n}.00`, reason: 'x', reversalReference: `RV-${n}` });
      ids.push(held.body.id);
    }
    const found: string[] = [];
    for (let next: string | null = ''; next !== null; ) {
      const after: string = next && `&after=${encodeURIComponent(next)}`;
      const { body } = await get(`/api/v1/payment-reversals?reference=${reference}&limit=2${after}`);
      found.push(...body.data.map((row: Answer['body']) => row.id));
      next = body.next;
    }
    expect(found).toEqual(ids.reverse());
    const refusal = await get('/api/v1/payment-reversals?status=lost');
    expect(expectProblem(refusal, 400, 'invalid_query').errors).toMatchObject([{ field: 'status' }]);
    expectProblem(await get('/api/v1/payment-reversals/no-uuid'), 404, 'not_found');
    expectProblem(await get(`/api/v1/payment-reversals/${crypto.randomUUID()}`), 404, 'not_found');
  });

  describe('without a version in the path', () => {
    test('a payment is bare, its amount a number to the digit', async () => {
      const request = aRequest({ amount: '1.230', currency: 'KWD', requiresReceipt: true });
      const answer = await post('/api/payments/notification', request);
      expect(answer.status, answer.text).toBe(201);
      expect(answer.text).toContain('"amount":1.230,');
      expect(answer.body).toEqual({
        id: expect.stringMatching(uuid),
        referenceNumber: request.referenceNumber,
        loanAccountNumber: 'LN-1001',
        cif: 'CIF-77',
        amount: 1.23,
        currency: 'KWD',
        paymentDate: '2026-03-10T08:30:00.000Z',
        paymentChannel: 'api',
        source: 'api',
        status: 'received',
        reversedAmount: 0,
        requiresReceipt: true,
        metadata: {},
        createdAt: expect.stringMatching(instant),
        history: [expect.objectContaining({ type: 'received', amount: 1.23 })],
      });
      const location = answer.headers.get('location') ?? '';
      expect(location).toBe(`/api/payments/${request.referenceNumber}`);
      expect((await get(location)).text).toBe(answer.text);
      expect((await post('/api/payments', request)).status).toBe(200);
      expectProblem(await post('/api/payments', { ...request, amount: 2 }), 409, 'payment_conflict');
      expectProblem(await get('/api/payments/unknown'), 404, 'not_found');
    });

    test('lists are bare arrays, and a header leads to the next page', async () => {
      const loan = `LN-${runtime}`;
      const references: string[] = [];
      for (const day of ['2026-02-01', '2026-02-02', '2026-02-03']) {
        const request = aRequest({ loanAccountNumber: loan, cif: `CIF-${runtime}`, paymentDate: day });
        expect((await post('/api/payments', request)).status).toBe(201);
        references.unshift(request.referenceNumber);
      }
      for (const path of [`/api/payments/loan/${loan}`, `/api/payments/customer/CIF-${runtime}`]) {
        const first = await get(`${path}?limit=2&channel=api`);
        expect(first.body).toHaveLength(2);
        const [, next] = /^<(.+)>; rel="next"$/.exec(first.headers.get('link') ?? '') ?? [];
        const second = await get(next ?? '');
        expect(second.headers.get('link')).toBe(null);
        const rows = [...first.body, ...second.body];
        expect(rows.map((row) => row.referenceNumber)).toEqual(references);
        expect(first.text).toContain('"amount":100.50,');
        expect(rows[0]).not.toHaveProperty('history');
      }
      expect((await get('/api/payments/loan/nobody')).body).toEqual([]);
      expectProblem(await get('/api/payments/loan/x?limit=0'), 400, 'invalid_query');
    });
  });
});
