// The payments table keeps its months, with the rights of ingest's own role, whatever day it is and whoever writes.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { partitions } from './partitions.ts';
import { recordOn, runJob, tableOf } from './testing.ts';

let database: TestDatabase;
let owner: Pool;
let db: Pool;

beforeEach(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 8, applicationName: 'test', timeoutMs: 20_000 });
  owner = open(database.url);
  db = open(database.urlFor('recoup_ingest'));
});
afterEach(async () => {
  await Promise.all([owner.close(), db.close()]);
  await database.drop();
});

const months = async () =>
  (
    await owner.query<{ month: string }>('select month::text from payment_service.payment_months order by 1')
  ).map(({ month }) => month.slice(0, 7));
const job = partitions({ monthsAhead: 3 });
const inDefault = async () =>
  Object.values(await tableOf(owner)).filter((table) => table === 'payments_default').length;

test('this month and the coming ones get their partitions, once', async () => {
  expect(await runJob(job, db, '2031-11-30T12:00:00Z')).toEqual({
    months_added: 4,
    rows_moved: 0,
    months_left: 0,
    archive_months_added: 0,
  });
  expect((await months()).slice(-4)).toEqual(['2031-11', '2031-12', '2032-01', '2032-02']);
  expect(await runJob(job, db, '2031-11-30T12:00:00Z')).toMatchObject({ months_added: 0 });
});

test("at a month's end the window moves on with the UTC month, and payments around midnight go where they belong", async () => {
  await runJob(job, db, '2031-01-31T23:59:59.999Z');
  expect((await months()).at(-1)).toBe('2031-04');
  const dates = ['2031-04-30T23:59:59.999Z', '2031-05-01T00:00:00.000Z', '2031-05-31T23:59:59.999Z'];
  const [april, firstOfMay, lastOfMay] = (await recordOn(owner, dates)) as [string, string, string];
  expect(await tableOf(owner)).toEqual({
    [april]: 'payments_2031_04',
    [firstOfMay]: 'payments_default',
    [lastOfMay]: 'payments_default',
  });
  expect(await runJob(job, db, '2031-02-01T00:00:00Z')).toEqual({
    months_added: 1,
    rows_moved: 2,
    months_left: 0,
    archive_months_added: 0,
  });
  expect(await tableOf(owner)).toEqual({
    [april]: 'payments_2031_04',
    [firstOfMay]: 'payments_2031_05',
    [lastOfMay]: 'payments_2031_05',
  });
});

test('the zone of a session does not move the borders of a month', async () => {
  const [row] = await owner.query<{ bounds: string[] }>(
    `select array_agg(pg_get_expr(c.relpartbound, c.oid)) as bounds from pg_class c
     where c.relname = (select max(table_name) from payment_service.payment_months)`,
  );
  await owner.transaction(async (tx) => {
    await tx.query(`set local timezone = 'Pacific/Kiritimati'`);
    await tx.query(`select payment_service.add_month('2033-03-15', false, 1000)`);
  });
  const [id] = await recordOn(owner, ['2033-03-31T23:59:59.999Z']);
  expect(row?.bounds).toHaveLength(1);
  expect((await tableOf(owner))[id!]).toBe('payments_2033_03');
});

test('rows of any month, past or far ahead, leave the default partition, and their own columns stay', async () => {
  await recordOn(owner, ['2019-05-05T10:00:00Z', '2019-05-06T10:00:00.123Z', '2044-01-01T00:00:00Z']);
  const all = () =>
    owner.query<{ row: string }>('select p::text as row from payment_service.payments p order by id');
  const before = await all();
  expect(await runJob(job, db, new Date().toISOString())).toMatchObject({ months_added: 2, rows_moved: 3 });
  expect(await all()).toEqual(before);
  expect(await inDefault()).toBe(0);
  expect(await months()).toEqual(expect.arrayContaining(['2019-05', '2044-01']));
});

test('dates that nobody meant stay where they are and keep nothing else waiting', async () => {
  await recordOn(owner, ['1969-12-31T23:59:59Z', '2100-01-01T00:00:00Z', '9999-12-31T00:00:00Z']);
  await recordOn(owner, ['1970-01-01T00:00:00Z', '2099-12-31T23:59:59Z']);
  expect(await runJob(job, db, new Date().toISOString())).toMatchObject({ rows_moved: 2, months_left: 0 });
  expect(await inDefault()).toBe(3);
});

test('a heap of odd months is worked off run by run, after the months that are needed', async () => {
  await recordOn(
    owner,
    Array.from({ length: 30 }, (_, n) => new Date(Date.UTC(1990, n, 10)).toISOString()),
  );
  const now = '2031-01-15T00:00:00Z';
  expect(await runJob(job, db, now)).toMatchObject({ months_added: 24, rows_moved: 20, months_left: 10 });
  expect(await months()).toEqual(expect.arrayContaining(['2031-01', '2031-02', '2031-03', '2031-04']));
  expect(await runJob(job, db, now)).toMatchObject({ months_added: 10, rows_moved: 10, months_left: 0 });
  expect(await inDefault()).toBe(0);
});

test('a month that is moved has everything its parent has', async () => {
  await recordOn(owner, ['2040-06-01T00:00:00Z']);
  await runJob(job, db, new Date().toISOString());
  const shape = (table: string) =>
    owner.query(
      `select (select count(*) from pg_index where indrelid = c.oid) as indexes,
              (select count(*) from pg_index i join pg_inherits h on h.inhrelid = i.indexrelid where i.indrelid = c.oid) as attached,
              (select json_agg(conname order by conname) from pg_constraint where conrelid = c.oid and contype = 'c') as checks
       from pg_class c where c.oid = ('payment_service.' || $1)::regclass`,
      [table],
    );
  const [born] = await owner.query<{ name: string }>(
    `select min(table_name) as name from payment_service.payment_months where month > '2026-01-01'`,
  );
  expect(await shape('payments_2040_06')).toEqual(await shape(born!.name));
});

test('payments that are recorded while their month is moved are all there once, and none is refused', async () => {
  const month = '2037-07';
  await recordOn(
    owner,
    Array.from({ length: 2_000 }, (_, n) => `${month}-${String(1 + (n % 31)).padStart(2, '0')}T10:00:00Z`),
  );
  const stop = new AbortController();
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    const ids: string[] = [];
    while (!stop.signal.aborted) {
      const day = String(1 + ((ids.length + writer) % 31)).padStart(2, '0');
      ids.push(...(await recordOn(owner, [`${month}-${day}T12:00:00Z`, `2037-08-${day}T12:00:00Z`])));
    }
    return ids;
  });
  await sleep(100);
  const done = await runJob(job, db, '2037-04-10T00:00:00Z');
  await sleep(100);
  stop.abort();
  const written = (await Promise.all(writers)).flat();
  expect(done).toMatchObject({ months_left: 0 });
  expect(done.rows_moved).toBeGreaterThan(2_000);
  const [count] = await owner.query<{ all: string; distinct: string; payments_default: string }>(
    `select count(*) as all, count(distinct id) as distinct,
            count(*) filter (where tableoid = 'payment_service.payments_default'::regclass) as payments_default
     from payment_service.payments`,
  );
  const total = String(2_000 + written.length);
  expect(count).toEqual({ all: total, distinct: total, payments_default: '0' });
  const held = new Set(Object.keys(await tableOf(owner)));
  expect(written.filter((id) => !held.has(id))).toEqual([]);
}, 60_000);

test('what changes between the copy and the move is moved as it is then', async () => {
  const dates = ['2041-02-01T00:00:00Z', '2041-02-02T00:00:00Z', '2041-02-03T00:00:00Z'];
  const [changed, gone, same] = (await recordOn(owner, dates)) as [string, string, string];
  let late: string | undefined;
  const done = await runJob(job, db, new Date().toISOString(), {
    progress: async () => {
      if (late) return;
      // The copy is made, the month not yet attached.
      expect(await months()).not.toContain('2041-02');
      await owner.query(`update payment_service.payments set cif = 'CIF-new' where id = $1`, [changed]);
      await owner.query('delete from payment_service.payments where id = $1', [gone]);
      [late] = await recordOn(owner, ['2041-02-04T00:00:00Z']);
    },
  });
  expect(done).toMatchObject({ rows_moved: 3 });
  const found = await owner.query<{ id: string; cif: string }>(
    `select id, cif from payment_service.payments where payment_date >= '2041-02-01' and payment_date < '2041-03-01'`,
  );
  expect(Object.fromEntries(found.map(({ id, cif }) => [id, cif]))).toEqual({
    [changed]: 'CIF-new',
    [same]: 'CIF-1',
    [late!]: 'CIF-1',
  });
});

test('what an earlier run has copied and left is no payment, and does not stand in the way', async () => {
  const [id] = await recordOn(owner, ['2042-02-01T00:00:00Z']);
  const stop = new AbortController();
  const cut = runJob(job, db, new Date().toISOString(), {
    signal: stop.signal,
    progress: async () => stop.abort(),
  });
  await expect(cut).rejects.toThrow(/abort/);
  expect(await owner.query('select id from payment_service.payments')).toEqual([{ id }]);
  // Older than the table is now.
  await owner.query('alter table payment_service.payments add column colour text');
  expect(await runJob(job, db, new Date().toISOString())).toMatchObject({ rows_moved: 1 });
  expect((await tableOf(owner))[id!]).toBe('payments_2042_02');
  const left = await owner.query(`select from pg_tables where tablename like 'moving%'`);
  expect(left).toEqual([]);
});

test('a table that has the name of a month and is no partition is not touched', async () => {
  await recordOn(owner, ['2043-05-01T00:00:00Z']);
  await runJob(job, db, new Date().toISOString());
  await owner.query('alter table payment_service.payments detach partition payment_service.payments_2043_05');
  await expect(runJob(job, db, '2043-05-01T00:00:00Z')).rejects.toMatchObject({ sqlState: '42P07' });
  await recordOn(owner, ['2043-05-01T00:00:00Z']);
  await expect(runJob(job, db, new Date().toISOString())).rejects.toMatchObject({ sqlState: '42P07' });
  expect(await inDefault()).toBe(1);
  expect(await owner.query('select from payment_service.payments_2043_05')).toHaveLength(1);
});

test('a writer that takes its time makes the job try again, and keeps nobody else waiting for long', async () => {
  await recordOn(owner, ['2038-01-05T00:00:00Z']);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const slow = owner.transaction(async (tx) => {
    await tx.query(`update payment_service.payments set cif = cif where payment_date >= '2038-01-01'`);
    await held;
  });
  const moving = runJob(job, db, new Date().toISOString());
  await sleep(300);
  const before = performance.now();
  await recordOn(owner, ['2038-01-06T00:00:00Z']);
  expect(performance.now() - before).toBeLessThan(5_000);
  release();
  await slow;
  expect(await moving).toMatchObject({ months_added: 1, rows_moved: 2 });
});

test('cut off in the middle of a move, nothing has moved, and the next run moves it', async () => {
  const dates = Array.from(
    { length: 5_000 },
    (_, n) => `2039-03-${String(1 + (n % 31)).padStart(2, '0')}T00:00:00Z`,
  );
  await recordOn(owner, dates);
  const attached = owner.transaction(async (tx) => {
    // The attachment needs the default partition for itself: the move gets as far as that, and waits.
    await tx.query('select 1 from payment_service.payments_default limit 1');
    const moving = expect(runJob(job, db, new Date().toISOString())).rejects.toMatchObject({
      retryable: true,
    });
    await expect
      .poll(
        () =>
          owner.query(
            `select pg_terminate_backend(pid, 5000) as ended from pg_stat_activity
             where datname = current_database() and usename = 'recoup_ingest' and wait_event_type = 'Lock'`,
          ),
        { timeout: 10_000, interval: 5 },
      )
      .toEqual([{ ended: true }]);
    await moving;
  });
  await attached;
  expect(await inDefault()).toBe(5_000);
  expect(await runJob(job, db, new Date().toISOString())).toMatchObject({ rows_moved: 5_000 });
  expect(await inDefault()).toBe(0);
});

test('the archive of events has its months as well, and what was archived without one moves there', async () => {
  const [now] = await owner.query<{ month: string }>(
    `select to_char(now() at time zone 'UTC', '"events_"YYYY_MM') as month`,
  );
  const month = now?.month ?? '';
  const archive = `insert into servicing.events (event_id, type, aggregate, subject, version, source, facts)
    values ($1, 'x', 'unhandled:x', 'customer:1', ' ' || $1, 'test', '{}')`;
  const places = async () =>
    (
      await owner.query<{ place: string }>(
        'select tableoid::regclass::text as place from servicing.events order by event_id',
      )
    ).map(({ place }) => place);
  await owner.query(`drop table servicing.${month}`);
  await owner.query(archive, ['early']);
  expect(await places()).toEqual(['servicing.events_default']);
  expect(await runJob(job, db, new Date().toISOString())).toMatchObject({ archive_months_added: 1 });
  await owner.query(archive, ['late']);
  expect(await places()).toEqual([`servicing.${month}`, `servicing.${month}`]);
});
