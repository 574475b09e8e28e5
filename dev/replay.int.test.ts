import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../containers/database.ts';
import { buryArrival } from '../shared/payments/bury-arrivals.ts';
import { createTestDatabase, createTestRedis, type TestDatabase } from '../test/database.ts';

let database: TestDatabase;
let owner: Pool;
let redisUrl: string;
let redis: ReturnType<typeof createClient>;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 1, applicationName: 'test', timeoutMs: 5_000 });
  ({ url: redisUrl } = await createTestRedis());
  redis = createClient({ url: redisUrl });
  await redis.connect();
});
afterAll(async () => {
  redis.destroy();
  await owner.close();
  await database.drop();
});

const replay = async (...args: string[]) => {
  const env = { ...process.env, DATABASE_URL: database.url, ACCEPTED_REDIS_URL: redisUrl };
  const run = promisify(execFile)(process.execPath, [join(import.meta.dirname, 'replay.ts'), ...args], {
    env,
    timeout: 20_000,
  });
  return run.then(
    ({ stdout }) => stdout,
    (error: { stderr: string }) => error.stderr,
  );
};
const inStream = async () =>
  ((await redis.xRange('accepted:payments', '-', '+')) ?? []).map(({ message }) => message.arrival);

test('what is buried is listed, put back one by one or all at once, and then no longer listed', async () => {
  for (const n of [1, 2, 3]) {
    const reason = `reason ${n}`;
    await buryArrival(owner, {
      stream: 'accepted:payments',
      entryId: `${n}-0`,
      arrival: `arrival ${n}`,
      reason,
    });
  }
  expect(await replay()).toBe('1-0  reason 1\n2-0  reason 2\n3-0  reason 3\nburied: 3\n');
  expect(await replay('--entry', '9-0')).toMatch(/^not buried: 9-0/);
  expect(await inStream()).toEqual([]);
  expect(await replay('--entry', '2-0')).toBe('put back: 1\n');
  expect(await inStream()).toEqual(['arrival 2']);
  expect(await replay('--all')).toBe('put back: 2\n');
  expect(await inStream()).toEqual(['arrival 2', 'arrival 1', 'arrival 3']);
  expect(await replay()).toBe('buried: 0\n');
}, 120_000);
