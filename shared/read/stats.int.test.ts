import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { dayBegan, readStats } from './stats.ts';
import { readStorage } from './storage.ts';

let database: TestDatabase;
let owner: Pool;
/** What the front door may see. */
let api: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 2, applicationName: 'stats', timeoutMs: 5_000 });
  owner = open(database.url);
  api = open(database.urlFor('recoup_api'));
});
beforeEach(() => owner.query('truncate payment_service.staging_process_log, public.payment_staging'));
afterAll(async () => {
  await Promise.all([owner.close(), api.close()]);
  await database.drop();
});

const since = new Date('2026-11-22T23:00:00Z');

/** Instants as SQL; counts as the log has them: total, recorded, duplicates, errors. */
const batch = (started: string, completed: string | null, status: string, counts: number[]) =>
  owner.query(
    `insert into payment_service.staging_process_log (batch_start_id, batch_end_id, total_records, processed_records,
       duplicate_records, error_records, status, started_at, completed_at)
     values (1, 2, $1, $2, $3, $4, $5, ${started}, ${completed})`,
    [...counts, status],
  );

test('a deployment in which nothing was ever staged has counts and no average', async () => {
  expect(await readStats(api, since)).toEqual({
    staging: {
      pending: 0,
      rows: { recorded: 0, duplicate: 0, conflict: 0, quarantined: 0 },
      averageBatchMs: null,
      rowsPerSecond: 0,
    },
    openConflicts: 0,
  });
});

test('batches count from the beginning of the day by when they were completed, and only once they are', async () => {
  await batch(`'2026-11-22T22:59:00Z'`, `'2026-11-22T22:59:59.999Z'`, 'completed', [500, 500, 0, 0]);
  await batch(`'2026-11-22T22:59:59.9Z'`, `'2026-11-22T23:00:00Z'`, 'completed', [1000, 900, 60, 30]);
  await batch(`'2026-11-23T09:00:00Z'`, `'2026-11-23T09:00:00.3005Z'`, 'completed', [10, 0, 10, 0]);
  await batch(`'2026-11-23T10:00:00Z'`, `'2026-11-23T10:00:09Z'`, 'failed', [1000, 0, 0, 0]);
  await batch(`'2026-11-23T10:00:00Z'`, null, 'processing', [1000, 400, 0, 0]);
  const { staging } = await readStats(api, since);
  expect(staging.rows).toEqual({ recorded: 900, duplicate: 70, conflict: 10, quarantined: 30 });
  expect(staging.averageBatchMs).toBe(200.3);
  expect(staging.rowsPerSecond).toBe(0);
});

test('the rate is that of the last minute, whoever worked', async () => {
  await batch(`now() - interval '5 s'`, `now() - interval '1 s'`, 'completed', [1000, 1000, 0, 0]);
  await batch(`now() - interval '5 s'`, `now() - interval '1 s'`, 'completed', [500, 500, 0, 0]);
  await batch(`now() - interval '70 s'`, `now() - interval '61 s'`, 'completed', [9000, 9000, 0, 0]);
  expect((await readStats(api, since)).staging.rowsPerSecond).toBe(25);
});

test('rows wait until they are processed, and conflicts until they are decided', async () => {
  await owner.query(
    `insert into public.payment_staging (reference_number, loan_account_number, cif, amount, payment_date, processed)
     select 'S-' || n, 'LN', 'CIF', 1, now(), case n when 1 then true when 2 then null else false end
     from generate_series(1, 6) as n`,
  );
  await owner.query(
    `insert into payment_service.payment_conflicts (payment_id, namespace, reference_number, loan_account_number, cif,
       amount, currency, payment_date, paid_on, payment_channel, source, metadata, actor, status, decided_by, decided_at, reason)
     select gen_random_uuid(), 'default', 'R-' || n, 'LN', 'CIF', n, 'EUR', now(), current_date, 'a', 'webhook', '{}', 'test',
       case when n < 3 then 'open' else 'dismissed' end, case when n < 3 then null else 'test' end,
       case when n < 3 then null else now() end, case when n < 3 then null else 'why' end
     from generate_series(1, 3) as n`,
  );
  const { staging, openConflicts } = await readStats(api, since);
  expect([staging.pending, openConflicts]).toEqual([5, 2]);
});

test('the newest batches are found by index, however long the log is', async () => {
  await owner.query(
    `insert into payment_service.staging_process_log (batch_start_id, batch_end_id, total_records, status, started_at, completed_at)
     select n, n, 1, 'completed', '2020-01-01'::timestamptz + n * interval '1 minute', '2020-01-01'::timestamptz + n * interval '1 minute'
     from generate_series(1, 20000) as n`,
  );
  await owner.query('analyze payment_service.staging_process_log');
  const plan = async (query: string) => JSON.stringify(await owner.query(`explain ${query}`));
  expect(
    await plan(`select sum(total_records) from payment_service.staging_process_log
      where status = 'completed' and completed_at > now() - interval '1 day'`),
  ).toContain('staging_process_log_completed');
  expect(await plan('select max(started_at) from payment_service.staging_process_log')).toContain(
    'staging_process_log_started',
  );
});

describe('a business day', () => {
  test.each([
    ['2026-11-23T22:59:59Z', 'Europe/Berlin', '2026-11-22T23:00:00.000Z'],
    ['2026-11-23T23:00:00Z', 'Europe/Berlin', '2026-11-23T23:00:00.000Z'],
    ['2026-11-23T05:00:00Z', 'America/New_York', '2026-11-23T05:00:00.000Z'],
    // On the day the clock goes forward, and where midnight itself is skipped.
    ['2026-03-29T20:00:00Z', 'Europe/Berlin', '2026-03-28T23:00:00.000Z'],
    ['2026-04-24T12:00:00Z', 'Africa/Cairo', '2026-04-23T22:00:00.000Z'],
  ])('of %s in %s began at %s', (now, zone, began) => {
    expect(dayBegan(new Date(now), zone).toISOString()).toBe(began);
  });
});

test('the partitions and the database have their sizes, which grow', async () => {
  const before = await readStorage(api);
  const thisMonth = `payments_${new Date().toISOString().slice(0, 7).replace('-', '_')}`;
  const names = before.partitions.map(({ name }) => name);
  expect(names).toEqual([...names].sort());
  expect(names).toEqual(expect.arrayContaining(['payments_default', thisMonth]));
  expect(before.databaseBytes).toBeGreaterThan(1_000_000);
  await owner.query(
    `insert into payment_service.payments (id, namespace, reference_number, loan_account_number, cif, amount, currency,
       payment_date, paid_on, payment_channel, source, event_id, actor)
     select gen_random_uuid(), 'default', 'R-' || n, 'LN', 'CIF', 1, 'EUR', now(), current_date, 'a', 'webhook', gen_random_uuid(), 'test'
     from generate_series(1, 2000) as n`,
  );
  await owner.query('analyze payment_service.payments');
  const after = await readStorage(api);
  const of = ({ partitions }: typeof after) => partitions.find(({ name }) => name === thisMonth);
  expect(of(before)?.rows).toBeNull();
  expect(of(after)?.rows).toBe(2_000);
  expect(of(after)?.bytes).toBeGreaterThan(of(before)?.bytes as number);
  expect(after.databaseBytes).toBeGreaterThan(before.databaseBytes);
});
