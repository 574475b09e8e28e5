import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { createClient, type RedisClientType } from 'redis';
import { expect, inject, test } from 'vitest';
import { startThenKill } from './killed-starter.ts';
import { startRedis } from './redis.ts';

async function ask<T>(url: string, question: (client: RedisClientType) => Promise<T>): Promise<T> {
  const client: RedisClientType = createClient({ url, socket: { reconnectStrategy: false } });
  client.on('error', () => {});
  try {
    await client.connect();
    return await question(client);
  } finally {
    client.destroy();
  }
}

test('a Redis whose starter was killed is stopped, and what it had answered for is kept', async () => {
  const folder = mkdtempSync(join(inject('runFolder'), 'redis-'));
  const options = { dataDir: join(folder, 'data'), logFile: join(folder, 'log'), password: 'a "b\\ %/ü' };
  const module = new URL('./redis.ts', import.meta.url).href;
  const { url } = await startThenKill<{ url: string }>(module, 'startRedis', options);
  await ask(url, (client) => client.set('kept', '42'));
  const again = await startRedis(options);
  expect(await ask(again.url, (client) => client.get('kept'))).toBe('42');
  await expect(ask(url, (client) => client.ping())).rejects.toThrow();
  await expect(startRedis(options)).rejects.toThrow(/Redis already runs for process/);
  await again.stop();
});

test('Redis asks for a password, never evicts, and syncs every write', async () => {
  const folder = mkdtempSync(join(inject('runFolder'), 'redis-'));
  const redis = await startRedis({ dataDir: join(folder, 'data'), logFile: join(folder, 'log') });
  await expect(ask(`redis://127.0.0.1:${redis.port}`, (client) => client.ping())).rejects.toThrow(/NOAUTH/);
  expect(await ask(redis.url, (client) => client.configGet('*'))).toMatchObject({
    bind: '127.0.0.1',
    'maxmemory-policy': 'noeviction',
    appendonly: 'yes',
    appendfsync: 'always',
  });
  await redis.stop();
});
