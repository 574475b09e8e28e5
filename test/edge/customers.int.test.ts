// A customer as staff see them, on every runtime.

import { beforeAll, describe, expect, test } from 'vitest';
import { foldInto } from '../../shared/read/testing.ts';
import { event } from '../../shared/servicing/testing.ts';
import { type Answer, expectProblem, read } from './asking.ts';
import { oneRuntime } from './runtimes.ts';
import { useWorld } from './world.ts';

describe.each(oneRuntime)('on %s', (runtime) => {
  const world = useWorld(runtime);
  let token: string;
  const get = (name: string, as: string | undefined = token) =>
    read(world.edge, `/api/v1/customers/${encodeURIComponent(name)}`, as);

  beforeAll(async () => {
    token = await world.newKey(['customers:read', 'customers:personal']);
    await foldInto(world.db, [
      event('customer.created.v1', {
        customer_id: 'C/1 ü',
        cif: 'CIF-1',
        first_name: 'Ana',
        last_name: 'Ruiz',
      }),
      event('account.created.v1', {
        account_id: 'A1',
        account_number: 'N1',
        customer_id: 'C/1 ü',
        loan_amount: '300.00',
        current_balance: '9999999999999.99',
      }),
      event('account.schedule.created.v1', {
        account_id: 'A1',
        schedule_id: 'S1',
        payments: [
          { payment_number: 1, due_date: '2020-01-01', amount: '50.00' },
          { payment_number: 2, due_date: '2999-01-01', amount: '50.10' },
        ],
      }),
    ]);
  });

  test.each(['C/1 ü', 'CIF-1', 'A1', 'N1'])('a customer is found by %s', async (name) => {
    const answer = await get(name);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.body).toMatchObject({
      customerId: 'C/1 ü',
      ids: ['C/1 ü'],
      cif: 'CIF-1',
      fullName: 'Ana Ruiz',
      loans: [
        {
          accountId: 'A1',
          currency: 'EUR',
          currentBalance: '9999999999999.99',
          missedInstalments: 1,
          nextInstalment: { paymentNumber: 2, dueOn: '2999-01-01', amount: '50.10', state: 'scheduled' },
        },
      ],
      conversations: { count: 0, latest: null },
    });
  });

  test.each(['nobody', 'cif-1', "' or true --", '%', 'a\u0000b'])('%j is not found', async (name) => {
    expectProblem(await get(name), 404, 'not_found');
  });

  test('without a key there is nothing to read, and without the permission nobody is known', async () => {
    expectProblem(await read(world.edge, '/api/v1/customers/C1'), 401, 'unauthenticated');
    expectProblem(await get('CIF-1', 'garbage'), 401, 'unauthenticated');
    const other = await world.newKey(['payments:read']);
    const shape = ({ status, headers, body }: Answer) => ({
      status,
      headers: [...headers].filter(([name]) => !['date', 'x-request-id', 'connection'].includes(name)),
      body: { ...body, requestId: '' },
    });
    const unknown = shape(await get('nobody'));
    expect(unknown.status).toBe(404);
    for (const name of ['CIF-1', 'nobody']) expect(shape(await get(name, other))).toEqual(unknown);
  });
});
