import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { openInboxSource } from './inbox-source.ts';
import type { Delivery, Source } from './source.ts';

const claimAfterMs = 500;

let database: TestDatabase;
let owner: Pool;
let asProjector: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  const pool = { min: 0, max: 4, applicationName: 'test', timeoutMs: 5_000 };
  owner = openPool({ ...pool, url: database.url });
  asProjector = openPool({ ...pool, url: database.urlFor('recoup_projector') });
});
beforeEach(() => owner.query('truncate servicing.inbox restart identity'));
afterAll(async () => {
  await asProjector.close();
  await owner.close();
  await database.drop();
});

const reader = () => openInboxSource(asProjector, claimAfterMs);
const receive = (count: number) =>
  owner.query(
    `insert into servicing.inbox (fields, source)
     select jsonb_build_object('typ', 'x', 'n', n::text), 'http' from generate_series(1, $1::int) n`,
    [count],
  );
const next = (source: Source, limit = 10) => source.next(limit, () => false);
const ids = (deliveries: readonly Delivery[]) => deliveries.map(({ entryId }) => entryId);

test('rows come in order, stay until they are settled, and then are gone', async () => {
  await receive(3);
  const source = reader();
  const found = await next(source, 2);
  expect(found).toEqual([
    { source: 'inbox', entryId: '1', fields: { typ: 'x', n: '1' } },
    { source: 'inbox', entryId: '2', fields: { typ: 'x', n: '2' } },
  ]);
  expect(await next(source)).toEqual(found);
  await source.settle(found);
  await source.settle(found);
  await source.settle([]);
  expect(ids(await next(source))).toEqual(['3']);
  expect(await owner.query('select position from servicing.inbox')).toEqual([{ position: '3' }]);
});

test('readers take disjoint rows, and a dead one loses what it had on loan', async () => {
  await receive(4);
  const [dead, alive] = [reader(), reader()];
  expect(ids(await next(dead, 3))).toEqual(['1', '2', '3']);
  expect(ids(await next(alive))).toEqual(['4']);
  await alive.settle([{ source: 'inbox', entryId: '4', fields: null }]);
  expect(await next(alive)).toEqual([]);
  await sleep(claimAfterMs + 50);
  await receive(1);
  expect(ids(await next(alive, 2))).toEqual(['1', '2']);
});

test('two readers at the same moment neither wait for each other nor share a row', async () => {
  await receive(60);
  const readers = Array.from({ length: 4 }, reader);
  const found = (await Promise.all(readers.map((source) => next(source, 15)))).map(ids);
  expect(found.map(({ length }) => length)).toEqual([15, 15, 15, 15]);
  expect(new Set(found.flat()).size).toBe(60);
});

test('held rows are passed by and do not keep others waiting', async () => {
  await receive(3);
  const source = reader();
  await next(source, 2);
  const held = ({ entryId }: Delivery) => entryId !== '3';
  expect(ids(await source.next(2, held))).toEqual(['3']);
  expect(ids(await next(source))).toEqual(['1', '2', '3']);
});

test('a row whose loan has run out comes again to the same reader, too', async () => {
  await receive(1);
  const source = reader();
  await next(source);
  await sleep(claimAfterMs + 50);
  expect(ids(await next(source))).toEqual(['1']);
});

test('its state counts what waits and what is on loan', async () => {
  await receive(3);
  await owner.query(
    `update servicing.inbox set received_at = now() - interval '90 seconds' where position = 1`,
  );
  const source = reader();
  expect(await source.state()).toEqual([
    { source: 'inbox', waiting: 3, pending: 0, oldestPendingSeconds: 0 },
  ]);
  await next(source, 2);
  const [state] = await source.state();
  expect(state).toMatchObject({ source: 'inbox', waiting: 1, pending: 2 });
  expect(state?.oldestPendingSeconds).toBeGreaterThanOrEqual(90);
  await source.tend();
  await source.close();
});
