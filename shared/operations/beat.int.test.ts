import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { beat } from './beat.ts';

let database: TestDatabase;
let db: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  const url = database.urlFor('recoup_publisher');
  db = openPool({ url, min: 0, max: 2, applicationName: 'beat-test', timeoutMs: 5_000 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const heartbeats = () =>
  db.query<{ process: string; instance: string; healthy: boolean; detail: object; fresh: boolean }>(
    `select process, instance, healthy, detail, beat_at > now() - interval '10 seconds' as fresh
     from operations.heartbeats order by process, instance`,
  );

test('an instance has one heartbeat, its latest', async () => {
  await beat(db, { process: 'publisher', instance: 'a', healthy: false, detail: { log_ok: false } });
  await db.query("update operations.heartbeats set beat_at = now() - interval '5 minutes'");
  await beat(db, { process: 'publisher', instance: 'a', healthy: true, detail: { log_ok: true, sent: 3 } });
  await beat(db, { process: 'publisher', instance: 'b', healthy: true, detail: {} });
  expect(await heartbeats()).toEqual([
    { process: 'publisher', instance: 'a', healthy: true, detail: { log_ok: true, sent: 3 }, fresh: true },
    { process: 'publisher', instance: 'b', healthy: true, detail: {}, fresh: true },
  ]);
});

test('instances that were silent for an hour are forgotten, whatever their process, a hundred at a time', async () => {
  await db.query(
    `insert into operations.heartbeats (process, instance, healthy, detail, beat_at)
     select 'gone', n::text, true, '{}'::jsonb, now() - interval '61 minutes' from generate_series(1, 150) as n
     union all select 'quiet', '1', true, '{}', now() - interval '59 minutes'`,
  );
  const count = async (process: string) => (await heartbeats()).filter((h) => h.process === process).length;
  await beat(db, { process: 'publisher', instance: 'a', healthy: true, detail: {} });
  expect(await count('gone')).toBe(50);
  await beat(db, { process: 'publisher', instance: 'a', healthy: true, detail: {} });
  expect(await count('gone')).toBe(0);
  expect(await count('quiet')).toBe(1);
  expect(await count('publisher')).toBe(2);
});
