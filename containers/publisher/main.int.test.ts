// The publisher as it is deployed: a process of its own, with its own role's rights.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { freePort } from '../../dev/servers/port.ts';
import { firstAppearances, insert, message } from '../../shared/outbox/testing.ts';
import { createTestDatabase, createTestRedis, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import {
  type Cuttable,
  cuttable,
  type PublisherProcess,
  readStream,
  readTopic,
  spawnPublisher,
} from './testing.ts';

let database: TestDatabase;
let owner: Pool;
let redisUrl: string;
let redisDoor: Cuttable;
let postgresDoor: Cuttable;
const publishers: PublisherProcess[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 4, applicationName: 'test', timeoutMs: 5_000 });
  ({ url: redisUrl } = await createTestRedis());
  redisDoor = await cuttable(Number(new URL(redisUrl).port));
  postgresDoor = await cuttable(Number(new URL(database.url).port));
});
beforeEach(() => owner.query('truncate outbox.messages, outbox.undeliverable, operations.heartbeats'));
afterEach(async () => {
  for (const { child } of publishers) child.kill('SIGKILL');
  await Promise.all(publishers.splice(0).map(({ exited }) => exited));
});
afterAll(async () => {
  await Promise.all([redisDoor.cut(), postgresDoor.cut(), owner.close()]);
  await database.drop();
});

const through = (door: Cuttable, url: string) =>
  Object.assign(new URL(url), { port: String(door.port) }).href;

function publish(env: Record<string, string> = {}): PublisherProcess {
  const publisher = spawnPublisher({
    DATABASE_URL: through(postgresDoor, database.urlFor('recoup_publisher')),
    REDIS_URL: through(redisDoor, redisUrl),
    HEARTBEAT_SECONDS: '1',
    LOG_LEVEL: 'debug',
    ...env,
  });
  publishers.push(publisher);
  return publisher;
}

const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 40_000, interval: 50 });
const pending = async () => (await owner.query('select from outbox.messages')).length;
const heartbeat = async () => {
  const [row] = await owner.query<{ healthy: boolean; detail: Record<string, unknown> }>(
    "select healthy, detail from operations.heartbeats where process = 'publisher' order by beat_at desc limit 1",
  );
  return row;
};
const started = expect.objectContaining({ event: 'publisher_started' });
/** Before Node itself has started nothing listens to the signal, which would just end it. */
const stop = async (publisher: PublisherProcess) => {
  await eventually(() => publisher.lines).toContainEqual(started);
  publisher.child.kill('SIGTERM');
  return publisher.exited;
};

test('it publishes what is in the outbox and what comes, says so in its heartbeat, and signs off on SIGTERM', async () => {
  const topic = 'deployed';
  await insert(owner, [message('a', 1, {}, topic), message('a', 2, {}, topic)]);
  const publisher = publish();
  await eventually(pending).toBe(0);
  await insert(owner, [message('a', 3, {}, topic)]);
  await eventually(pending).toBe(0);
  await eventually(heartbeat).toMatchObject({
    healthy: true,
    detail: {
      condition: 'running',
      log: 'redis',
      log_ok: true,
      sent_total: 3,
      last_sent_at: expect.stringMatching(/^\d{4}-.*Z$/),
      standing_by: false,
      publish_failures_total: 0,
      pool_max: 4,
      pool_waiting: 0,
    },
  });
  expect(await stop(publisher)).toEqual({ code: 0, signal: null });
  expect(await heartbeat()).toBeUndefined();
  expect(firstAppearances(await readStream(redisUrl, topic))).toEqual({ a: [1, 2, 3] });
  expect(publisher.errors()).toBe('');
  expect(publisher.lines.map(({ event }) => event)).toEqual(['publisher_started', 'publisher_stopped']);
});

test('it answers probes on the port it is given: started, alive, and ready only while its log is there', async () => {
  let port = await freePort();
  const probe = async (path: string) =>
    (await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined))?.status;
  let publisher = publish({ PROBE_PORT: String(port) });
  await eventually(async () => {
    // Another test may have taken the free port meanwhile.
    if (publisher.errors().includes('EADDRINUSE')) {
      port = await freePort();
      publisher = publish({ PROBE_PORT: String(port) });
    }
    return probe('/readyz');
  }).toBe(200);
  expect([await probe('/startupz'), await probe('/livez')]).toEqual([200, 200]);
  await redisDoor.cut();
  await eventually(() => probe('/readyz')).toBe(503);
  expect(await probe('/livez')).toBe(200);
  await redisDoor.mend();
  await eventually(() => probe('/readyz')).toBe(200);
  expect(await stop(publisher)).toEqual({ code: 0, signal: null });
  expect(await probe('/livez')).toBeUndefined();
}, 120_000);

test('settings that do not parse end it with code 1 and a readable list', async () => {
  const publisher = publish({ DATABASE_URL: '', PUBLISH_INTERVAL_MS: 'often' });
  expect(await publisher.exited).toEqual({ code: 1, signal: null });
  expect(publisher.errors()).toBe(
    [
      'publisher cannot start, its settings need attention:',
      '  DATABASE_URL: is missing: the database',
      '  PUBLISH_INTERVAL_MS: expected a whole number from 1 to 60000\n',
    ].join('\n'),
  );
});

test('retired settings are named once, with the reason', async () => {
  const publisher = publish({ DB_HOST: 'postgres', REDIS_PORT: '6379' });
  await eventually(() => publisher.lines.filter(({ level }) => level === 'warn')).toMatchObject([
    { event: 'retired_setting', message: 'DB_HOST has no effect: DATABASE_URL says where the database is' },
    { event: 'retired_setting', message: 'REDIS_PORT has no effect: REDIS_URL says where Redis is' },
  ]);
  await stop(publisher);
});

test('a log that goes away makes it unhealthy even with nothing to publish, and it recovers by itself', async () => {
  const topic = 'outage';
  const publisher = publish();
  await eventually(async () => (await heartbeat())?.healthy).toBe(true);
  await redisDoor.cut();
  await eventually(heartbeat).toMatchObject({
    healthy: false,
    detail: { condition: 'failing', log_ok: false },
  });
  await insert(owner, [message('a', 1, {}, topic), message('a', 2, {}, topic)]);
  await redisDoor.mend();
  await eventually(pending).toBe(0);
  await eventually(async () => (await heartbeat())?.healthy).toBe(true);
  expect(await stop(publisher)).toEqual({ code: 0, signal: null });
  expect(firstAppearances(await readStream(redisUrl, topic))).toEqual({ a: [1, 2] });
  const faults = publisher.lines.filter(({ event }) => event === 'publisher_failed');
  expect(faults.length).toBeLessThanOrEqual(3);
}, 60_000);

test('a database that goes away is waited for', async () => {
  const topic = 'database-outage';
  const publisher = publish();
  await eventually(async () => (await heartbeat())?.healthy).toBe(true);
  await postgresDoor.cut();
  await eventually(() => publisher.lines.some(({ event }) => event === 'publisher_failed')).toBe(true);
  await insert(owner, [message('a', 1, {}, topic)]);
  await postgresDoor.mend();
  await eventually(pending).toBe(0);
  expect(await stop(publisher)).toEqual({ code: 0, signal: null });
  expect(await readStream(redisUrl, topic)).toHaveLength(1);
}, 60_000);

test('SIGTERM in the middle of a backlog ends after the batch in progress: nothing is sent twice', async () => {
  const topic = 'drain';
  const total = 5_000;
  await insert(
    owner,
    Array.from({ length: total }, (_, n) => message(`key-${n % 5}`, n, {}, topic)),
  );
  const first = publish({ KAFKA_BATCH_SIZE: '10' });
  await eventually(async () => (await pending()) < total - 100).toBe(true);
  expect(await stop(first)).toEqual({ code: 0, signal: null });
  const left = await pending();
  expect(left).toBeGreaterThan(0);
  expect(await readStream(redisUrl, topic)).toHaveLength(total - left);
  const second = publish();
  await eventually(pending).toBe(0);
  await stop(second);
  expect(await readStream(redisUrl, topic)).toHaveLength(total);
}, 60_000);

test('of two publishers one works and the other takes over when the first is gone', async () => {
  const topic = 'takeover';
  const [one, other] = [publish({ PUBLISH_INTERVAL_MS: '1' }), publish({ PUBLISH_INTERVAL_MS: '1' })];
  let n = 0;
  const write = async (times: number) => {
    for (let i = 0; i < times; i++)
      await insert(owner, [message('a', n++, {}, topic), message('b', n++, {}, topic)]);
  };
  await write(200);
  await eventually(pending).toBe(0);
  expect(await stop(one)).toEqual({ code: 0, signal: null });
  await write(200);
  await eventually(pending).toBe(0);
  expect(await stop(other)).toEqual({ code: 0, signal: null });
  const log = await readStream(redisUrl, topic);
  expect(log).toHaveLength(800);
  for (const ns of Object.values(firstAppearances(log))) expect(ns).toEqual(ns.toSorted((a, b) => a - b));
}, 60_000);

test('a signal that comes while it is still loading is kept, and ends it in order', async () => {
  // Loading kafkajs takes two seconds, and says so when it begins.
  const slowLoading = `import { registerHooks } from 'node:module';
    registerHooks({ load(url, context, next) {
      if (url.endsWith('/kafkajs/index.js')) {
        console.log('{"event":"loading"}');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);
      }
      return next(url, context);
    } });`;
  const publisher = publish({
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(slowLoading)}`,
  });
  await eventually(() => publisher.lines).toContainEqual({ event: 'loading' });
  publisher.child.kill('SIGTERM');
  expect(await publisher.exited).toEqual({ code: 0, signal: null });
  expect(publisher.lines.map(({ event }) => event)).toEqual([
    'loading',
    'publisher_started',
    'publisher_stopped',
  ]);
});

describe.skipIf(inject('kafkaBrokers') === null)('with Kafka', () => {
  const brokers = inject('kafkaBrokers') as string;
  let named = 0;
  /** Kafka's names of both topics, for this test alone. */
  const kafka = () => {
    named += 1;
    const topics = [`events.${process.pid}.${named}`, `lifecycle.${process.pid}.${named}`] as const;
    const env = { KAFKA_BROKERS: brokers, KAFKA_TOPIC: topics[0], KAFKA_LIFECYCLE_TOPIC: topics[1] };
    return { topics, env };
  };

  test('with brokers named it publishes to Kafka, each topic under the name the settings give it', async () => {
    const { topics, env } = kafka();
    await insert(owner, [message('a', 1), message('b', 1), message('a', 2, {}, 'payment.lifecycle')]);
    const publisher = publish({ ...env, KAFKA_TOPIC_PARTITIONS: '2' });
    await eventually(pending).toBe(0);
    await eventually(heartbeat).toMatchObject({ healthy: true, detail: { log: 'kafka', sent_total: 3 } });
    expect(await stop(publisher)).toEqual({ code: 0, signal: null });
    expect(firstAppearances(await readTopic(brokers, topics[0]))).toEqual({ a: [1], b: [1] });
    expect(firstAppearances(await readTopic(brokers, topics[1]))).toEqual({ a: [2] });
    expect(publisher.errors()).toBe('');
  });

  test('both topics are there before the first message', async () => {
    const { topics, env } = kafka();
    const publisher = publish(env);
    await eventually(async () => (await heartbeat())?.healthy).toBe(true);
    for (const topic of topics) expect(await readTopic(brokers, topic)).toEqual([]);
    await stop(publisher);
  });

  test('a message over the limit of the broker is set aside, and everything else goes on', async () => {
    const { topics, env } = kafka();
    const count = 300;
    const messages = Array.from({ length: count }, (_, n) => message(`loan-${n % 3}`, n));
    const poison = message('loan-1', count, { filler: 'x'.repeat(1_500_000) });
    messages.splice(150, 0, poison);
    await insert(owner, messages);
    const publisher = publish(env);
    await eventually(pending).toBe(0);
    await eventually(heartbeat).toMatchObject({
      healthy: false,
      detail: { log_ok: true, sent_total: count, undeliverable: 1, publish_failures_total: 0 },
    });
    expect(await stop(publisher)).toEqual({ code: 0, signal: null });
    const log = await readTopic(brokers, topics[0]);
    for (const key of [0, 1, 2])
      expect(firstAppearances(log)[`loan-${key}`]).toEqual(
        Array.from({ length: count / 3 }, (_, n) => 3 * n + key),
      );
    expect(publisher.lines).toContainEqual(
      expect.objectContaining({ event: 'message_undeliverable', event_id: poison.eventId }),
    );
    expect(await owner.query('select payload, reason from outbox.undeliverable')).toEqual([
      { payload: poison.payload, reason: 'Kafka takes no message as large as this' },
    ]);
  });
});
