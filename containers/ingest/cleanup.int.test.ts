import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { cleanup } from './cleanup.ts';
import { recordOn, runJob } from './testing.ts';

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

const count = async (table: string) => (await owner.query(`select from ${table}`)).length;

test('what is done and 90 days old goes, in bounded pieces; everything else stays', async () => {
  await owner.query(
    `insert into operations.job_runs (job, status, started_at, finished_at, instance)
     select 'cleanup', 'succeeded', timestamptz '2026-01-01', timestamptz '2026-03-01' - make_interval(secs => n), 'x' from generate_series(1, 2500) as n
     union all select 'cleanup', 'succeeded', '2026-01-01', '2026-03-02', 'x'
     union all select 'retention', 'running', '2026-01-01', null, 'x'`,
  );
  await owner.query(
    `insert into payment_service.staging_process_log (batch_start_id, batch_end_id, total_records, status, started_at, completed_at)
     values (1, 1, 1, 'completed', '2026-02-28', '2026-02-28'), (2, 2, 1, 'completed', '2026-03-02', '2026-03-02'),
            (3, 3, 1, 'failed', '2026-03-02', '2026-03-02'), (4, 4, 1, 'processing', '2026-01-01', null)`,
  );
  await recordOn(owner, ['2019-01-01T00:00:00Z']);
  const untouched = [
    'payment_service.payments',
    'payment_service.payment_references',
    'payment_service.payment_conflicts',
    'outbox.messages',
  ];
  const before = await Promise.all(untouched.map(count));
  expect(await runJob(cleanup(), db, '2026-05-30T12:00:00Z')).toEqual({
    job_runs: 2_500,
    idempotency_keys: 0,
    rejected_bodies: 0,
    notices: 0,
    dead_letters: 0,
    staging_log: 1,
  });
  expect(await count('operations.job_runs')).toBe(2);
  expect(await count('payment_service.staging_process_log')).toBe(3);
  expect(await Promise.all(untouched.map(count))).toEqual(before);
  for (const table of untouched) {
    await expect(db.query(`delete from ${table}`)).rejects.toMatchObject({ sqlState: '42501' });
  }
});
