// Staff see where payments are posted, say which loan a held one is for, and move one that was misapplied.

import { beforeAll, describe, expect, test } from 'vitest';
import { entriesOf } from '../../shared/audit/testing.ts';
import { memoryLedger, settle } from '../../shared/posting/testing.ts';
import { foldInto } from '../../shared/read/testing.ts';
import { event } from '../../shared/servicing/testing.ts';
import { aPayment, ask, deliver, expectProblem, read } from './asking.ts';
import { oneRuntime } from './runtimes.ts';
import { type TestPerson, useWorld } from './world.ts';

describe.each(oneRuntime)('on %s', (runtime) => {
  const world = useWorld(runtime);
  const its = memoryLedger();
  let staff: TestPerson;
  let clerk: string;

  beforeAll(async () => {
    staff = await world.newPerson(['supervisor']);
    clerk = await world.newKey(['postings:read', 'payments:read']);
    for (const id of ['P-1', 'P-2', 'P-3']) {
      its.loans.add(id);
      await foldInto(world.db, [
        event('account.created.v1', { account_id: id, account_number: `N${id}`, customer_id: 'C-1' }),
      ]);
    }
  });

  const get = (path: string) => read(world.edge, path, clerk);
  const post = (path: string, body: unknown, key?: string, token = staff.accessToken) =>
    ask(`${world.edge.urls.api}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      body: JSON.stringify(body),
    });
  const settled = () => settle(world.db, world.db, its.ledger);
  const pay = async (loan: string) => {
    const body = { ...aPayment(), loan_account_number: loan, amount: '100.00' };
    const { body: answer } = await deliver(world.edge, body);
    await settled();
    return { id: answer.payment_id as string, reference: body.reference_number as string };
  };

  test('a payment shows where it is posted, and lists find it by its loan and its state', async () => {
    const { id, reference } = await pay('NP-1');
    const posting = { state: 'posted', kind: 'payment', accountId: 'P-1', amount: '100.00', currency: 'EUR' };
    const { body } = await get(`/api/v1/payments/${reference}`);
    expect(body.postings).toMatchObject([{ ...posting, transactionId: expect.any(String) }]);
    for (const query of [`payment=${id}`, `account=NP-1&state=posted&limit=1`, 'account=P-1']) {
      expect((await get(`/api/v1/postings?${query}`)).body.data).toMatchObject([
        { ...posting, paymentId: id },
      ]);
    }
    expect((await get('/api/v1/postings?account=NOBODY')).body.data).toEqual([]);
    const { body: one } = await get(`/api/v1/postings/${body.postings[0].id}`);
    expect(one).toMatchObject({ ...posting, referenceNumber: reference, reversedAmount: '0.00' });
    expectProblem(await get(`/api/v1/postings/${crypto.randomUUID()}`), 404, 'not_found');
    expectProblem(await get('/api/v1/postings?state=lost'), 400, 'invalid_query');
  });

  test('a held payment is matched once, and noted with who did it and why', async () => {
    const { id } = await pay('TYPO');
    const [held] = (await get(`/api/v1/postings?payment=${id}`)).body.data;
    expect(held).toMatchObject({ state: 'held', heldBecause: 'unknown_loan', accountId: null });
    const path = `/api/v1/postings/${held.id}/match`;
    const body = { accountId: 'NP-2', reason: 'a typo' };
    const refused = await post(path, { ...body, accountId: 'NOBODY' });
    expectProblem(refused, 422, 'invalid_request');
    expect(refused.body.errors).toMatchObject([{ field: 'accountId', code: 'unknown' }]);
    expectProblem(await post(path, body, undefined, clerk), 404, 'not_found');
    const answers = await Promise.all([post(path, body, 'k-1'), post(path, body, 'k-1'), post(path, body)]);
    expect(answers.map(({ status }) => status).filter((status) => status === 200).length).toBeGreaterThan(0);
    expectProblem(await post(path, { ...body, accountId: 'NP-3' }), 409, 'posting_not_held');
    await settled();
    expect(its.netOf(id)).toEqual({ 'P-2': 10_000n });
    const entries = await entriesOf(world.db, 'posting.');
    expect(entries).toMatchObject([
      {
        subject_id: held.id,
        actor: `user:${staff.username}`,
        action: 'posting.changed',
        after: { account_id: 'P-2', match_reason: 'a typo' },
      },
    ]);
    expectProblem(await post(`/api/v1/postings/${crypto.randomUUID()}/match`, body), 404, 'not_found');
  });

  test('a payment is split under a key once; sums, decimals and loans have to be right', async () => {
    const { id, reference } = await pay('NP-1');
    const path = `/api/v1/payments/${id}/move`;
    const move = (to: Record<string, string>, key?: string) =>
      post(
        path,
        {
          to: Object.entries(to).map(([accountId, amount]) => ({ accountId, amount })),
          reason: 'it was for both',
        },
        key,
      );
    const notMovable = async (to: Record<string, string>, members: object) => {
      const answer = await move(to);
      expectProblem(answer, 409, 'payment_not_movable');
      expect(answer.body).toMatchObject(members);
    };
    await notMovable(
      { 'P-1': '10.00', 'P-2': '89.99' },
      { because: 'sum_differs', postedAmount: '100.00', currency: 'EUR' },
    );
    await notMovable({ 'P-1': '33.333', 'P-2': '66.667' }, { because: 'too_many_decimals' });
    for (const amount of ['0', '-1', '1e2', '0.00', 'x']) {
      expectProblem(await move({ 'P-1': amount }), 422, 'invalid_request');
    }
    const unknown = await move({ 'P-1': '10.00', NOBODY: '90.00' });
    expect(unknown.body.errors).toMatchObject([{ field: 'to[1].accountId' }]);

    const first = await move({ 'NP-2': '40.00', 'P-1': '60.00' }, 'm-1');
    expect(first.status, first.text).toBe(200);
    expect(first.body.postings.map((p: { state: string }) => p.state)).toEqual([
      'posted',
      'pending',
      'waiting',
    ]);
    await notMovable({ 'P-3': '100.00' }, { because: 'unsettled' });
    const again = await move({ 'NP-2': '40.00', 'P-1': '60.00' }, 'm-1');
    expect(again.body.moveId).toBe(first.body.moveId);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expectProblem(await move({ 'P-3': '100.00' }, 'm-1'), 422, 'idempotency_key_reused');
    await settled();
    expect(its.netOf(id)).toEqual({ 'P-1': 6_000n, 'P-2': 4_000n });
    expect((await move({ 'P-2': '40.00', 'P-1': '60.00' })).body.moveId).toBeNull();
    const { body } = await get(`/api/v1/payments/${reference}`);
    expect(body.postings).toHaveLength(3);
    expect(await entriesOf(world.db, 'payment_move.')).toMatchObject([
      { subject_id: id, actor: `user:${staff.username}`, after: { reason: 'it was for both' } },
    ]);
    expectProblem(
      await post(`/api/v1/payments/${crypto.randomUUID()}/move`, {
        to: [{ accountId: 'P-1', amount: '1' }],
        reason: 'r',
      }),
      404,
      'not_found',
    );
  });
});
