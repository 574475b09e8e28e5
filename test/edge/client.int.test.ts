// The typed client against the running Workers: what it is told by the declarations is what it gets. The types are tried
// by the compiler, the rest here.

import { describe, expect, expectTypeOf, test } from 'vitest';
import { createClient } from '../../workers/client.ts';
import type { Problem } from '../../workers/problem.ts';
import { aPayment, deliver, newReference } from './asking.ts';
import { useWorld } from './world.ts';

describe('a client', () => {
  const world = useWorld('node');
  const clientWith = (token: string) =>
    createClient(world.edge.urls.api, { headers: { authorization: `Bearer ${token}` } });

  test('records, lists and reads payments', async () => {
    const { api } = clientWith(await world.newKey(['payments:record', 'payments:read']));
    const { payments } = api.api.v1;
    const referenceNumber = newReference();
    const sent = {
      referenceNumber,
      loanAccountNumber: `LN-${referenceNumber}`,
      cif: 'CIF-77',
      amount: '100.50',
      paymentDate: '2026-03-10',
    };
    const made = await payments.$post({ json: sent });
    expect(made.status).toBe(201);
    const listed = await payments.loan[':accountNumber'].$get({
      param: { accountNumber: sent.loanAccountNumber },
      query: { limit: '1' },
    });
    if (!listed.ok) throw new Error((await listed.json()).code);
    const { data, next } = await listed.json();
    expectTypeOf(next).toEqualTypeOf<string | null>();
    expect(data.map((payment) => payment.amount)).toEqual(['100.50']);
    const read = await payments[':reference'].$get({ param: { reference: referenceNumber } });
    if (!read.ok) throw new Error((await read.json()).code);
    expect((await read.json()).history.length).toBeGreaterThan(0);
  });

  test('decides a conflict, and is told why when it has been decided the other way', async () => {
    const { api } = clientWith(await world.newKey(['conflicts:decide', 'payments:read']));
    const first = aPayment();
    await deliver(world.edge, first);
    await deliver(world.edge, { ...first, amount: '1.00' });
    const conflicts = api.api.v1['payment-conflicts'];
    const listed = await conflicts.$get({ query: { reference: first.reference_number } });
    if (!listed.ok) throw new Error((await listed.json()).code);
    const param = { id: (await listed.json()).data[0]?.id as string };
    const dismissed = await conflicts[':id'].dismiss.$post({ param, json: { reason: 'sent in error' } });
    if (!dismissed.ok) throw new Error((await dismissed.json()).code);
    expectTypeOf((await dismissed.json()).status).toEqualTypeOf<'dismissed'>();
    const accepted = await conflicts[':id'].accept.$post({ param, json: {} });
    if (accepted.ok) throw new Error('it was accepted after all');
    const problem = await accepted.json();
    expectTypeOf(problem.code).toEqualTypeOf<Problem['code']>();
    expect([accepted.status, problem.code]).toEqual([409, 'already_decided']);
  });

  test('learns of people from the auth Worker at the same address, and every fault of what it sends', async () => {
    const { accessToken, username } = await world.newPerson(['admin']);
    const { auth } = clientWith(accessToken);
    const me = await auth.api.v1.auth.me.$get();
    expect(me.status === 200 && (await me.json())).toMatchObject({ kind: 'user', username });
    const person = { username: 'Not A Name', displayName: '' };
    const refused = await auth.api.v1.users.$post({ json: person });
    if (refused.ok) throw new Error('it was taken');
    expect([refused.status, (await refused.json()).errors?.map(({ field }) => field)]).toEqual([
      422,
      ['username', 'displayName', 'password'],
    ]);
  });

  test('does not compile with what no route takes or answers', () => {
    const { api } = clientWith('none');
    const untried = () => {
      // @ts-expect-error: no such route.
      api.api.v1.nothing.$get();
      // @ts-expect-error: a reason is required.
      api.api.v1['payment-conflicts'][':id'].dismiss.$post({ param: { id: '' }, json: {} });
      // @ts-expect-error: no such status.
      api.api.v1['payment-conflicts'].$get({ query: { status: 'lost' } });
      // @ts-expect-error: the payment is whose?
      api.api.v1.payments.$post({ json: { referenceNumber: 'R' } });
    };
    expect(untried).toBeTypeOf('function');
  });
});
