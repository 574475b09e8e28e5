// Quarantined rows: listed with what is wrong with them, corrected, released, and then processed like any other.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { staging } from '../../containers/ingest/staging.ts';
import { type Answer, ask, expectProblem, read, write } from './asking.ts';
import { oneRuntime } from './runtimes.ts';
import { timeZone, useWorld } from './world.ts';

const path = '/api/v1/payments/staging/quarantined';

describe.each(oneRuntime)('on %s', (runtime) => {
  const world = useWorld(runtime);
  let reader: string;
  let clerk: string;
  beforeAll(async () => {
    reader = await world.newKey(['staging:read', 'payments:read']);
    clerk = await world.newKey(['staging:read', 'staging:correct']);
  });
  beforeEach(() => world.db.query('truncate payment_staging, payment_service.staging_changes'));

  const stage = (values: string) =>
    world.db.query(
      `insert into payment_staging (reference_number, loan_account_number, cif, amount, payment_date, metadata) values ${values}`,
    );
  const process = () =>
    staging({
      db: world.db,
      instance: 'test',
      business: { timeZone, currency: 'EUR' },
      enabled: true,
      batchSize: 100,
      workers: 1,
      maxRetries: 0,
    }).step();
  const list = async (query = ''): Promise<Answer['body']> => {
    const answer = await read(world.edge, `${path}${query}`, reader);
    expect(answer.status, answer.text).toBe(200);
    return answer.body;
  };
  const correct = (id: string, body: unknown, key = clerk) =>
    ask(`${world.edge.urls.api}${path}/${id}`, {
      method: 'PATCH',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    });
  const release = (id: string, body: unknown = {}, key = clerk) =>
    write(world.edge, `${path}/${id}/release`, key, body);

  test('a row is shown as it is staged, with every fault', async () => {
    await stage(`('A-1', null, 'CIF-1', 10.005, '2026-11-20 08:30', '{"n": 10.000000000000000001}')`);
    await process();
    const answer = await read(world.edge, path, reader);
    expect(answer.text).toContain('10.000000000000000001');
    expect(answer.body).toEqual({
      data: [
        {
          id: expect.stringMatching(/^\d+$/),
          reason: 'invalid_loan_account_number',
          faults: [
            {
              field: 'loan_account_number',
              code: 'invalid',
              message: 'expected a text of 1 to 20 characters',
            },
            { field: 'amount', code: 'too_many_decimals', message: 'has more decimals than its currency' },
          ],
          referenceNumber: 'A-1',
          loanAccountNumber: null,
          cif: 'CIF-1',
          amount: '10.005',
          currency: null,
          paymentDate: '2026-11-20T08:30:00.000',
          paymentChannel: null,
          metadata: { n: 10 },
          processedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}$/),
        },
      ],
      next: null,
    });
    const { id } = answer.body.data[0];
    const one = await read(world.edge, `${path}/${id}`, reader);
    expect(one.body).toEqual({ ...answer.body.data[0], changes: [] });
  });

  test('rows that no payment could be are shown too', async () => {
    await stage(
      `(null, null, null, 'NaN', 'infinity', '[1]'), (repeat('x', 100000), '', '', '-Infinity', '0044-03-15 BC', '"t"'),
       ('B', 'L', 'C', null, null, ('{"a":"' || repeat('y', 70000) || '"}')::jsonb)`,
    );
    await process();
    const { data } = await list();
    expect(data.map((row: { paymentDate: string }) => row.paymentDate)).toEqual([
      null,
      '44-03-15T00:00:00.000 BC',
      'infinity',
    ]);
    expect(data.map((row: { amount: string }) => row.amount)).toEqual([null, '-Infinity', 'NaN']);
    expect(data[0].metadata).toHaveLength(65_537);
    expect(data[2].metadata).toEqual([1]);
  });

  test('the list comes in pages, the latest first, and can be narrowed to a reason', async () => {
    await stage(
      Array.from(
        { length: 7 },
        (_, n) => `('P-${n}', 'L', 'C', ${n % 2 ? 0 : -1.005}, now(), '${n % 3 ? '{}' : '[]'}')`,
      ).join(),
    );
    await process();
    const seen: string[] = [];
    let after = '';
    do {
      const { data, next } = await list(`?limit=3${after}`);
      seen.push(...data.map((row: { referenceNumber: string }) => row.referenceNumber));
      after = next === null ? '' : `&after=${encodeURIComponent(next)}`;
    } while (after);
    expect(seen).toEqual(['P-6', 'P-5', 'P-4', 'P-3', 'P-2', 'P-1', 'P-0']);
    expect((await list('?reason=invalid_metadata')).data).toHaveLength(3);
    expect((await list('?reason=not_positive')).data).toHaveLength(4);
    expect((await list('?reason=none')).data).toEqual([]);
    const { errors } = expectProblem(
      await read(world.edge, `${path}?limit=0&after=x`, reader),
      400,
      'invalid_query',
    );
    expect(errors.map((error: { field: string }) => error.field).sort()).toEqual(['after', 'limit']);
  });

  test('a row is corrected, keeps what it was, is released and becomes a payment', async () => {
    await stage(`('C-1', '', 'CIF-1', 10.005, 'infinity', '[]')`);
    await process();
    const [{ id }] = (await list()).data;
    const body = `{"loanAccountNumber": "LN-7", "amount": 10.50, "currency": "EUR", "paymentDate": "2026-07-01T00:15:00",
      "paymentChannel": null, "metadata": {"rate": 10.000000000000000001}, "note": "asked the bank"}`;
    const corrected = await correct(id, body);
    expect([corrected.status, corrected.body]).toEqual([200, { status: 'corrected' }]);
    const one = await read(world.edge, `${path}/${id}`, reader);
    expect(one.text).toContain('10.000000000000000001');
    expect(one.body).toMatchObject({
      loanAccountNumber: 'LN-7',
      amount: '10.50',
      paymentDate: '2026-07-01T00:15:00.000',
      changes: [
        {
          kind: 'corrected',
          before: {
            loan_account_number: '',
            amount: 10.005,
            currency: null,
            payment_date: 'infinity',
            payment_channel: null,
            metadata: [],
          },
          after: { loan_account_number: 'LN-7', amount: '10.50' },
          note: 'asked the bank',
          actor: expect.stringMatching(/^key:/),
          changedAt: expect.any(String),
        },
      ],
    });
    expect((await release(id, { note: 'as above' })).body).toEqual({ status: 'released' });
    expectProblem(await release(id), 404, 'not_found');
    expectProblem(await correct(id, { cif: 'X' }), 404, 'not_found');
    expect(await process()).toBe(1);
    expect((await read(world.edge, '/api/v1/payments/C-1', reader)).body).toMatchObject({
      amount: '10.50',
      paymentDate: '2026-06-30T22:15:00.000Z',
      paymentChannel: 'staging',
      source: 'staging',
    });
  });

  test('many are released at once, by id or by reason', async () => {
    await stage(
      Array.from({ length: 6 }, (_, n) => `('R-${n}', 'L', 'C', ${n < 4 ? 0 : 1.005}, now(), '{}')`).join(),
    );
    await process();
    const many = (body: unknown) => write(world.edge, `${path}/release`, clerk, body);
    expect((await many({ reason: 'too_many_decimals' })).body).toEqual({ released: 2, more: false });
    const ids = (await list()).data.map((row: { id: string }) => row.id);
    expect(ids).toHaveLength(4);
    expect((await many({ ids: ids.slice(0, 3), note: 'again' })).body).toEqual({ released: 3, more: false });
    expect((await many({ ids: ids.slice(0, 3) })).body).toEqual({ released: 0, more: false });
    expect((await list()).data).toHaveLength(1);
    for (const body of [
      {},
      { ids: [] },
      { ids: ['x'] },
      { reason: '' },
      { all: true },
      { ids, reson: 'x' },
    ]) {
      expectProblem(await many(body), 422, 'invalid_request');
    }
  });

  test('a correction that is none is refused, every fault at once', async () => {
    await stage(`('D-1', '', 'CIF-1', 1, now(), '{}')`);
    await process();
    const [{ id }] = (await list()).data;
    const refused = await correct(id, {
      referenceNumber: '',
      loanAccountNumber: 'x'.repeat(21),
      cif: ' a',
      amount: '-1',
      currency: 'XXX',
      paymentDate: '2026-02-30',
      metadata: [],
      note: '',
    });
    const { errors } = expectProblem(refused, 422, 'invalid_request');
    expect(errors.map((error: { field: string }) => error.field).sort()).toEqual(
      [
        'amount',
        'cif',
        'currency',
        'loanAccountNumber',
        'metadata',
        'note',
        'paymentDate',
        'referenceNumber',
      ].sort(),
    );
    for (const body of [{}, { note: 'nothing' }, { id: '7' }, { processed: true }]) {
      expectProblem(await correct(id, body), 422, 'invalid_request');
    }
    expectProblem(await correct(id, '{"metadata": {"a": 1e400}}'), 400, 'malformed_body');
    expect((await read(world.edge, `${path}/${id}`, reader)).body.changes).toEqual([]);
  });

  test('who may not, or asks for what is not there, finds nothing', async () => {
    await stage(`('E-1', '', 'CIF-1', 1, now(), '{}'), ('E-2', 'L', 'CIF-1', 1, now(), '{}')`);
    await process();
    const [{ id }] = (await list()).data;
    const [recorded] = await world.db.query<{ id: string }>(
      `select id::text from payment_staging where outcome = 'recorded'`,
    );
    const nobody = await world.newKey(['payments:read', 'conflicts:decide']);
    expectProblem(await read(world.edge, path), 401, 'unauthenticated');
    for (const place of [path, `${path}/${id}`]) {
      expectProblem(await read(world.edge, place, nobody), 404, 'not_found');
    }
    for (const key of [nobody, reader]) {
      expectProblem(await correct(id, { cif: 'X' }, key), 404, 'not_found');
      expectProblem(await release(id, {}, key), 404, 'not_found');
      expectProblem(await write(world.edge, `${path}/release`, key, { ids: [id] }), 404, 'not_found');
    }
    for (const other of [recorded?.id as string, '999999', '0', '-1', 'x', '9'.repeat(30), '1.0']) {
      expectProblem(await read(world.edge, `${path}/${other}`, clerk), 404, 'not_found');
      expectProblem(await correct(other, { cif: 'X' }), 404, 'not_found');
      expectProblem(await release(other), 404, 'not_found');
    }
    expect((await list()).data).toHaveLength(1);
  });
});
