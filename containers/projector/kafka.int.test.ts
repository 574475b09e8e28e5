// Two projectors over Kafka, processes as they are deployed, of which one is killed in the middle of a history.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { histories } from '../../dev/histories/histories.ts';
import { differences, dumpOf, foldUndisturbed } from '../../test/chaos/projection-dump.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { type ContainerProcess, spawnContainer } from '../testing.ts';
import { openVault } from './vault.ts';

const events = 2_000;
const timeZone = 'Europe/Berlin';
const rules = { timeZone, currency: 'EUR', balances: 'events' } as const;
const masterKey = { name: 'test', key: randomBytes(32) };
const vault = openVault([masterKey]);
const topic = `servicing.history.${randomBytes(4).toString('hex')}`;
const group = `group.${topic}`;

describe.skipIf(inject('kafkaBrokers') === null)('over Kafka', () => {
  const brokers = inject('kafkaBrokers') as string;
  const kafka = new Kafka({ brokers: (brokers ?? '').split(','), logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  const databases: TestDatabase[] = [];
  const pools: Pool[] = [];
  const processes: ContainerProcess[] = [];

  const newDatabase = async (): Promise<[TestDatabase, Pool]> => {
    const database = await createTestDatabase();
    const pool = openPool({
      url: database.url,
      min: 0,
      max: 2,
      applicationName: 'test',
      timeoutMs: 20_000,
    });
    databases.push(database);
    pools.push(pool);
    return [database, pool];
  };
  beforeAll(() => admin.connect());
  afterAll(async () => {
    for (const { child } of processes) child.kill('SIGKILL');
    await Promise.all(processes.map(({ exited }) => exited));
    await admin.disconnect();
    await Promise.all(pools.map((pool) => pool.close()));
    await Promise.all(databases.map((database) => database.drop()));
  });

  const start = (database: TestDatabase, consumer: string) => {
    const projector = spawnContainer('projector', {
      DATABASE_URL: database.urlFor('recoup_projector'),
      KAFKA_BROKERS: brokers,
      SERVICING_TOPICS: topic,
      SERVICING_PAYMENT_EVENTS: 'off',
      SERVICING_APPROVAL_EVENTS: 'off',
      SERVICING_GROUP: group,
      SERVICING_CONSUMER: consumer,
      SERVICING_BATCH_SIZE: '40',
      SERVICING_CLAIM_AFTER_SECONDS: '1',
      BUSINESS_TIME_ZONE: timeZone,
      ARCHIVE_MASTER_KEYS: `${masterKey.name}:${masterKey.key.toString('base64')}`,
    });
    processes.push(projector);
    return projector;
  };
  /** How many messages the group is behind. */
  const behind = async () => {
    const [committed] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
    const ends = await admin.fetchTopicOffsets(topic);
    const read = new Map(committed?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    return ends.reduce(
      (sum, { partition, high }) => sum + Number(high) - Math.max(0, read.get(partition) ?? 0),
      0,
    );
  };

  test('a history is folded once, although one of two projectors is killed in the middle of it', async () => {
    const [database, db] = await newDatabase();
    const history = { customers: 60, events, seed: 7, from: '2026-01-01', to: '2026-10-31', timeZone };
    const coming = [...histories({ ...history, duplicates: 0.05, disorder: 0.1 })];
    await admin.createTopics({ topics: [{ topic, numPartitions: 6 }], waitForLeaders: true });
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const send = (entries: typeof coming) =>
      producer.send({
        topic,
        messages: entries.map((entry) => ({
          key: entry.user_id ?? entry.usr ?? null,
          value: JSON.stringify(entry),
        })),
      });
    const folded = async () => {
      const [row] = await db.query<{ rows: number }>('select count(*)::int as rows from servicing.events');
      return row?.rows ?? 0;
    };

    await send(coming.slice(0, 600));
    const killed = start(database, 'one');
    start(database, 'other');
    await expect.poll(folded, { timeout: 60_000, interval: 20 }).toBeGreaterThan(0);
    const later = (async () => {
      for (let at = 600; at < coming.length; at += 100) {
        await send(coming.slice(at, at + 100));
        await sleep(50);
      }
    })();
    await sleep(300);
    killed.child.kill('SIGKILL');
    expect((await killed.exited).signal).toBe('SIGKILL');
    expect(await folded()).toBeLessThan(events);
    start(database, 'one');
    await later;
    await producer.disconnect();
    await expect.poll(behind, { timeout: 90_000, interval: 250 }).toBe(0);

    expect(await folded()).toBe(events);
    const [, clean] = await newDatabase();
    await foldUndisturbed(clean, [...histories(history)], { vault, rules });
    expect(differences(await dumpOf(db, vault), await dumpOf(clean, vault))).toEqual([]);
    const ends = processes.slice(1).map(async ({ child, exited }) => {
      child.kill('SIGTERM');
      return (await exited).code;
    });
    expect(await Promise.all(ends)).toEqual([0, 0]);
  }, 180_000);
});
