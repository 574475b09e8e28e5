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
  expect(await runJob(cleanup({ sessionDays: 30 }), db, '2026-05-30T12:00:00Z')).toEqual({
    job_runs: 2_500,
    idempotency_keys: 0,
    rejected_bodies: 0,
    notices: 0,
    dead_letters: 0,
    staging_log: 1,
    sessions: 0,
    sign_in_attempts: 0,
    known_devices: 0,
    live_changes: 0,
  });
  expect(await count('operations.job_runs')).toBe(2);
  expect(await count('payment_service.staging_process_log')).toBe(3);
  expect(await Promise.all(untouched.map(count))).toEqual(before);
  for (const table of untouched) {
    await expect(db.query(`delete from ${table}`)).rejects.toMatchObject({ sqlState: '42501' });
  }
});

test('sessions that are long over go with their refresh tokens, and so do old attempts and devices', async () => {
  await owner.query(
    `insert into staff.users (username, display_name, created_by) values ('ada', 'Ada', 'test')`,
  );
  await owner.query(
    `with added as (
       insert into staff.sessions (user_id, kind, method, device, idle_limit, expires_at, ended_at)
       select u.id, 'client', 'password', device, '1 hour', expires_at::timestamptz, ended_at::timestamptz
       from staff.users u, (values ('over', '2026-06-01', '2026-04-01'), ('expired', '2026-04-29', null),
                                   ('just over', '2026-06-01', '2026-05-02'), ('live', '2026-06-30', null))
         as s (device, expires_at, ended_at)
       returning id)
     insert into staff.refresh_tokens (hash, session_id) select sha256(id::text::bytea), id from added`,
  );
  await owner.query(
    `insert into staff.sign_in_attempts (kind, key, failures, last_at, previous_at)
     values ('name', 'old', 60, now() - interval '2 days', 'epoch'), ('name', 'new', 1, now(), 'epoch')`,
  );
  await owner.query(
    `insert into staff.known_devices (device_hash, user_id, last_seen_at)
     select hash::bytea, u.id, seen::timestamptz from staff.users u,
       (values ('old', '2025-11-01'), ('new', '2026-05-01')) as d (hash, seen)`,
  );
  expect(await runJob(cleanup({ sessionDays: 30 }), db, '2026-05-30T12:00:00Z')).toMatchObject({
    sessions: 2,
    sign_in_attempts: 1,
    known_devices: 1,
  });
  const devices = await owner.query<{ device: string }>('select device from staff.sessions order by device');
  expect(devices.map(({ device }) => device)).toEqual(['just over', 'live']);
  expect(await count('staff.refresh_tokens')).toBe(2);
  expect(await owner.query(`select key from staff.sign_in_attempts where key = 'new'`)).toHaveLength(1);
  await expect(db.query('select from staff.sessions')).rejects.toMatchObject({ sqlState: '42501' });
});
