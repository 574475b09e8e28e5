// Publishers killed at random moments while payments keep coming, by a seeded random. What must hold afterwards: every
// event is in the log, first appearances are in order per key in each topic, and the outbox
// is empty.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { firstAppearances, insert, message } from '../../shared/outbox/testing.ts';
import { createTestDatabase, createTestRedis, type TestDatabase } from '../../test/database.ts';
import { seeded } from '../../test/seeded.ts';
import { openPool, type Pool } from '../database.ts';
import { type Appended, type PublisherProcess, readStream, readTopic, spawnPublisher } from './testing.ts';

const seed = 20_261_123;
const kills = 6;

let database: TestDatabase;
let owner: Pool;
let redisUrl: string;
const alive = new Set<PublisherProcess>();
const started = expect.objectContaining({ event: 'publisher_started' });

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 8, applicationName: 'test', timeoutMs: 5_000 });
  ({ url: redisUrl } = await createTestRedis());
});
afterEach(async () => {
  for (const { child } of alive) child.kill('SIGKILL');
  await Promise.all([...alive].map(({ exited }) => exited));
  alive.clear();
});
afterAll(async () => {
  await owner.close();
  await database.drop();
});

/**
 * Writes each key's messages in order and to every topic, in transactions of random size, some of them slow, until told
 * to stop.
 */
async function writing(
  keys: readonly string[],
  topics: readonly string[],
  stop: AbortSignal,
): Promise<string[]> {
  const written: string[] = [];
  await Promise.all(
    keys.map(async (key, i) => {
      const random = seeded(seed + i).next;
      for (let n = 0; !stop.aborted; ) {
        const batch = Array.from({ length: 1 + Math.floor(random() * 8) }, () => {
          const place = n++;
          return topics.map((topic) => message(key, place, {}, topic));
        }).flat();
        await owner.transaction(async (tx) => {
          await insert(tx, batch);
          await sleep(random() < 0.1 ? 60 : 0);
        });
        written.push(...batch.map((m) => m.eventId));
        await sleep(random() * 25);
      }
    }),
  );
  return written;
}

const logs: Array<
  [
    name: string,
    skipped: boolean,
    () => { env: Record<string, string>; read: (topic: string) => Promise<Appended[]> },
  ]
> = [
  ['Redis', false, () => ({ env: { REDIS_URL: redisUrl }, read: (topic) => readStream(redisUrl, topic) })],
  [
    'Kafka',
    inject('kafkaBrokers') === null,
    () => {
      const brokers = inject('kafkaBrokers') as string;
      return { env: { KAFKA_BROKERS: brokers }, read: (topic) => readTopic(brokers, topic) };
    },
  ],
];

for (const [name, skipped, open] of logs) {
  test.skipIf(skipped)(
    `publishers killed at any moment lose nothing and keep order per key in ${name}`,
    async () => {
      const { env, read } = open();
      const topics = [`crash.${process.pid}`, `crash.lifecycle.${process.pid}`];
      const random = seeded(seed).next;
      // Some go through what is waiting in many steps, some in few.
      let batchSize = 7;
      const start = () => {
        batchSize = batchSize === 7 ? 100 : 7;
        const publisher = spawnPublisher({
          DATABASE_URL: database.urlFor('recoup_publisher'),
          PUBLISH_INTERVAL_MS: '1',
          KAFKA_BATCH_SIZE: String(batchSize),
          ...env,
        });
        alive.add(publisher);
      };
      const end = async (publisher: PublisherProcess, signal: 'SIGKILL' | 'SIGTERM') => {
        alive.delete(publisher);
        publisher.child.kill(signal);
        return publisher.exited;
      };
      const lines = () => [...alive].flatMap((publisher) => publisher.lines);

      const stop = new AbortController();
      const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
      const written = writing(keys, topics, stop.signal);
      start();
      start();
      for (let kill = 0; kill < kills; kill++) {
        await expect.poll(lines, { timeout: 20_000 }).toContainEqual(started);
        await sleep(random() * 1_200);
        const victims = [...alive];
        await end(victims[Math.floor(random() * victims.length)] as PublisherProcess, 'SIGKILL');
        start();
      }
      stop.abort();
      const ids = await written;
      const pending = async () => (await owner.query('select from outbox.messages')).length;
      await expect.poll(pending, { timeout: 30_000, interval: 50 }).toBe(0);
      for (const publisher of [...alive]) {
        // The youngest may be so young that not even Node has started in it.
        await expect.poll(() => publisher.lines, { timeout: 20_000 }).toContainEqual(started);
        expect(await end(publisher, 'SIGTERM')).toEqual({ code: 0, signal: null });
        expect(publisher.errors()).toBe('');
      }

      const logs = await Promise.all(topics.map(read));
      expect(new Set(logs.flat().map(({ eventId }) => eventId))).toEqual(new Set(ids));
      for (const log of logs) {
        const byKey = firstAppearances(log);
        expect(Object.keys(byKey).sort()).toEqual(keys);
        for (const ns of Object.values(byKey)) expect(ns).toEqual(ns.map((_, n) => n));
      }
    },
    120_000,
  );
}
