import pg from 'pg';
import { createClient } from 'redis';
import { expect, test } from 'vitest';
import { createTestDatabase, createTestRedis } from './database.ts';

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

test('a test database has the schema, and its roles may log in with their own rights', async () => {
  const database = await createTestDatabase();
  const owner = await connected(database.url);
  expect((await owner.query('select count(*)::int as n from payment_service.payments')).rows).toEqual([
    { n: 0 },
  ]);
  await owner.end();
  const webhooks = await connected(database.urlFor('recoup_webhooks'));
  expect((await webhooks.query('select current_user')).rows).toEqual([{ current_user: 'recoup_webhooks' }]);
  await expect(webhooks.query('select * from payment_service.payments')).rejects.toThrow(/permission denied/);
  await webhooks.end();
  await database.drop();
});

test('a connection that was left open fails the drop, and the database is gone all the same', async () => {
  const database = await createTestDatabase();
  const leaked = await connected(database.urlFor('recoup_api'));
  await leaked.query('select 42');
  await expect(database.drop()).rejects.toThrow(/1 connection\(s\) were left open.*recoup_api.*select 42/s);
  await expect(connected(database.url)).rejects.toThrow(/does not exist/);
  await leaked.end().catch(() => {});
});

test('a test Redis starts empty', async () => {
  const { url } = await createTestRedis();
  const client = await createClient({ url }).connect();
  await client.set('a', '1');
  await createTestRedis();
  expect(await client.get('a')).toBe(null);
  await client.close();
});
