// The projector as it is deployed: a process of its own with its own role's rights, in front of a real Redis. What it
// says of itself is judged as health judges it.

import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { judge, readSystemState } from '../../shared/read/health.ts';
import { createTestDatabase, createTestRedis, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { type ContainerProcess, spawnContainer } from '../testing.ts';

const stream = 'inbox:billie-servicing';

let database: TestDatabase;
let owner: Pool;
let redisUrl: string;
let redis: ReturnType<typeof createClient>;
const projectors = new Set<ContainerProcess>();

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 4, applicationName: 'test', timeoutMs: 10_000 });
  ({ url: redisUrl } = await createTestRedis());
  redis = createClient({ url: redisUrl });
  await redis.connect();
});
afterEach(async () => {
  for (const { child } of projectors) child.kill('SIGKILL');
  await Promise.all([...projectors].map(({ exited }) => exited));
  projectors.clear();
  await owner.query('truncate operations.heartbeats');
});
afterAll(async () => {
  redis.destroy();
  await owner.close();
  await database.drop();
});

const start = (consumer: string) => {
  const projector = spawnContainer('projector', {
    DATABASE_URL: database.urlFor('recoup_projector'),
    REDIS_URL: redisUrl,
    ARCHIVE_MASTER_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}`,
    SERVICING_CONSUMER: consumer,
    HEARTBEAT_SECONDS: '1',
  });
  projectors.add(projector);
  return projector;
};
const judged = async () => judge(await readSystemState(owner), { accepting: false });
const health = async () => (await judged()).containers.projector;
const eventually = <T>(get: () => T) => expect.poll(get, { timeout: 30_000, interval: 100 });
/** So much later, as far as health can see. */
const letPass = (seconds: number) =>
  owner.query('update operations.heartbeats set beat_at = beat_at - make_interval(secs => $1)', [seconds]);
const changed = (id: string) =>
  redis.xAdd(stream, '*', {
    id,
    event_type: 'customer.changed.v1',
    user_id: id,
    timestamp: '2026-11-20T10:00:00Z',
    payload: JSON.stringify({ customer_id: id, first_name: 'Ada', changed_at: '2026-11-20T10:00:00Z' }),
  });

test('it folds what comes, buries what it cannot read, tells of both, and signs off on SIGTERM', async () => {
  const projector = start('one');
  await changed('customer-1');
  await changed('customer-2');
  await redis.xAdd(stream, '*', { nothing: 'in it' });
  await eventually(async () => {
    const { events, containers } = await judged();
    return [containers.projector, events.waiting, events.streams?.length, events.deadLetters];
  }).toEqual(['ok', 0, 5, 1]);
  const detail = async () =>
    (await owner.query<{ detail: object }>('select detail from operations.heartbeats'))[0]?.detail;
  await eventually(detail).toMatchObject({
    redis_1: 'running',
    redis_2: 'running',
    inbox: 'running',
    events_folded_total: 2,
    events_buried_total: 1,
  });
  expect(await owner.query('select customer_id, first_name from servicing.customers order by 1')).toEqual([
    { customer_id: 'customer-1', first_name: 'Ada' },
    { customer_id: 'customer-2', first_name: 'Ada' },
  ]);
  expect(await redis.xLen('dlq:billie-servicing')).toBe(1);
  projector.child.kill('SIGTERM');
  expect(await projector.exited).toEqual({ code: 0, signal: null });
  expect(projector.errors()).toBe('');
  expect(await health()).toBe('error');
}, 60_000);

test.each(['SIGSTOP', 'SIGKILL'] as const)(
  'after %s health is red within half a minute',
  async (signal) => {
    const projector = start(`two-${signal}`);
    await eventually(health).toBe('ok');
    // As long as it lives it speaks up again.
    await letPass(30);
    await eventually(health).toBe('ok');
    projector.child.kill(signal);
    if (signal === 'SIGKILL') await projector.exited;
    // What it had sent before has arrived.
    await new Promise((resolve) => setTimeout(resolve, 500));
    await letPass(30);
    expect(await health()).toBe('error');
  },
  60_000,
);
