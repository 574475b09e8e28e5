// What falls due is counted with the rights of ingest's own role, and counted anew each time.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { figures } from './figures.ts';
import { runJob } from './testing.ts';

let database: TestDatabase;
let owner: Pool;
let db: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 2, applicationName: 'test', timeoutMs: 20_000 });
  owner = open(database.url);
  db = open(database.urlFor('recoup_ingest'));
});
afterAll(async () => {
  await Promise.all([owner.close(), db.close()]);
  await database.drop();
});

test('sums follow what the schedules say, day by day', async () => {
  await owner.query(
    `insert into servicing.loan_accounts (account_id, state, currency) values ('A', '{}', 'EUR')`,
  );
  await owner.query(
    `insert into servicing.repayment_schedules (schedule_id, state, account_id, version) values ('S', '{}', 'A', 'v')`,
  );
  await owner.query(`insert into servicing.instalments (schedule_id, payment_number, due_on, amount)
    select 'S', n, '2026-03-15'::date + n / 2, 10 from generate_series(0, 40) n`);
  expect(await runJob(figures(), db, '2026-03-15T12:00:00Z')).toEqual({ due_sums: 10 });
  await owner.query(`update servicing.instalments set status = 'paid' where payment_number = 0`);
  await runJob(figures(), db, '2026-03-15T12:00:00Z');
  expect(
    await owner.query(
      'select due_on::text, currency, instalments, amount::float from servicing.due_days order by 1 limit 2',
    ),
  ).toEqual([
    { due_on: '2026-03-15', currency: 'EUR', instalments: 1, amount: 10 },
    { due_on: '2026-03-16', currency: 'EUR', instalments: 2, amount: 20 },
  ]);
  await runJob(figures(), db, '2026-05-15T12:00:00Z');
  expect(await owner.query('select from servicing.due_days')).toEqual([]);
});
