import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';
import { openPool, type Pool } from './database.ts';

let database: TestDatabase;
let db: Pool;

const open = (url: string, timeoutMs = 5_000) =>
  openPool({ url, min: 0, max: 2, applicationName: 'pool-test', timeoutMs });

beforeAll(async () => {
  database = await createTestDatabase();
  db = open(database.url);
  await db.query('create table things (n int primary key)');
});
beforeEach(() => db.query('truncate things'));
afterAll(async () => {
  await db.close();
  await database.drop();
});

const things = async () =>
  (await db.query<{ n: number }>('select n from things order by n')).map((row) => row.n);

test('a transaction is there whole or not at all', async () => {
  const answer = await db.transaction(async (tx) => {
    await tx.query('insert into things values (1), (2)');
    return 'done';
  });
  expect(answer).toBe('done');
  const broken = db.transaction(async (tx) => {
    await tx.query('insert into things values (3)');
    throw new Error('changed my mind');
  });
  await expect(broken).rejects.toThrow('changed my mind');
  expect(await things()).toEqual([1, 2]);
});

test('what Postgres refuses is a DatabaseFault with its code, and the connection serves on', async () => {
  await db.query('insert into things values (1)');
  const twice = db.transaction((tx) => tx.query('insert into things values (1)'));
  await expect(twice).rejects.toMatchObject({ name: 'DatabaseFault', sqlState: '23505', retryable: false });
  expect(await things()).toEqual([1]);
});

test('a connection that dies inside a transaction is a retryable fault, and the next one is another', async () => {
  const dying = db.transaction(async (tx) => {
    const [me] = await tx.query<{ pid: number }>('select pg_backend_pid() as pid');
    await tx.query('insert into things values (1)');
    await db.query('select pg_terminate_backend($1, 5000)', [me?.pid]);
    await tx.query('insert into things values (2)');
  });
  await expect(dying).rejects.toMatchObject({ name: 'DatabaseFault', retryable: true });
  expect(await things()).toEqual([]);
});

test('a pool tells how many connections it may have, how many work, and how many wait for one', async () => {
  const busy = open(database.url);
  expect(busy.stats()).toEqual({ pool_max: 2, pool_in_use: 0, pool_waiting: 0 });
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const works = [1, 2, 3].map(() => busy.transaction(() => held));
  await expect.poll(() => busy.stats()).toEqual({ pool_max: 2, pool_in_use: 2, pool_waiting: 1 });
  letGo();
  await Promise.all(works);
  expect(busy.stats()).toEqual({ pool_max: 2, pool_in_use: 0, pool_waiting: 0 });
  await busy.close();
});

test('a statement that takes too long is given up', async () => {
  const hasty = open(database.url, 200);
  await expect(hasty.query('select pg_sleep(20)')).rejects.toMatchObject({
    name: 'DatabaseFault',
    retryable: true,
  });
  await hasty.close();
});

test('when all connections are taken, waiting for one ends', async () => {
  const hasty = open(database.url, 200);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const taken = [1, 2].map(() => hasty.transaction(() => held));
  await expect(hasty.query('select 1')).rejects.toMatchObject({ name: 'DatabaseFault', retryable: true });
  release();
  await Promise.all(taken);
  expect(await hasty.query('select 1 as one')).toEqual([{ one: 1 }]);
  await hasty.close();
});

test('the server itself ends a transaction whose client has vanished', async () => {
  const [row] = await db.query<{ setting: string }>(
    "select current_setting('idle_in_transaction_session_timeout') as setting",
  );
  expect(row?.setting).toBe('30s');
});

test('a database that is away is a retryable fault', async () => {
  const away = open('postgresql://nobody:secret@127.0.0.1:1/nowhere');
  await expect(away.query('select 1')).rejects.toMatchObject({ name: 'DatabaseFault', retryable: true });
  await expect(away.transaction(async () => {})).rejects.toMatchObject({ name: 'DatabaseFault' });
  await away.close();
});

test.each(['prefer', 'require', 'verify-ca', 'verify-full'])(
  'sslmode=%s insists on encryption, without a warning',
  async (mode) => {
    const warned = vi.fn();
    process.on('warning', warned);
    const encrypted = open(`${database.url}?sslmode=${mode}&application_name=x`);
    await expect(encrypted.query('select 1')).rejects.toThrow('The server does not support SSL connections');
    await encrypted.close();
    await sleep(0);
    process.off('warning', warned);
    expect(warned).not.toHaveBeenCalled();
  },
);
