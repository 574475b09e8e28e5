import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel, type Message, Partitioners, type Producer } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { startKafka } from '../../dev/servers/kafka.ts';
import { freePort } from '../../dev/servers/port.ts';
import { createLog } from '../../shared/log.ts';
import { type KafkaSourceOptions, openKafkaSource } from './kafka-source.ts';
import type { Delivery, Source } from './source.ts';

const partitions = 3;
const quiet = createLog('error', {}, () => {});

describe.skipIf(inject('kafkaBrokers') === null)('Kafka as the source', () => {
  // A broker of our own, because it is stopped and started.
  const folder = mkdtempSync(join(tmpdir(), `recoup-test-${process.pid}-`));
  let port: number;
  let broker: Awaited<ReturnType<typeof startKafka>>;
  let producer: Producer;
  let topics = 0;
  let topic: string;
  const open = new Set<Source>();

  const start = () => startKafka({ dataDir: join(folder, 'data'), logFile: join(folder, 'kafka.log'), port });
  const kafka = () => new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING });

  beforeAll(async () => {
    port = await freePort();
    broker = await start();
    producer = kafka().producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
  }, 120_000);
  beforeEach(() => {
    topic = `servicing.${++topics}`;
  });
  afterEach(async () => {
    await Promise.all([...open].map((source) => source.close()));
    open.clear();
  });
  afterAll(async () => {
    await producer.disconnect();
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  function reader(more: Partial<KafkaSourceOptions> = {}): Source {
    const options: KafkaSourceOptions = {
      brokers: [broker.brokers],
      clientId: 'test',
      partitions,
      replication: -1,
      tls: false,
      sasl: undefined,
      topics: [topic],
      logs: [],
      group: `group.${topic}`,
      claimAfterMs: 6_000,
      blockMs: 200,
      buffered: 1_000,
      ...more,
    };
    const source = openKafkaSource(options, quiet);
    open.add(source);
    return source;
  }
  const createTopic = async (numPartitions = partitions) => {
    const admin = kafka().admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true });
    await admin.disconnect();
  };
  const send = (messages: Message[], to = topic) => producer.send({ topic: to, messages });
  const event = (key: string, n: number): Message => ({ key, value: JSON.stringify({ typ: 'x', key, n }) });
  const sendMany = async (count: number, keys = 7) => {
    await send(Array.from({ length: count }, (_, n) => event(`k${n % keys}`, n)));
  };
  const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, n) => from + n);
  const told = (deliveries: readonly Delivery[]) => deliveries.map(({ fields }) => Number(fields?.n));
  const nothingHeld = () => false;

  /** Reads until so many have come, at most `limit` at a time; settles them where asked to. */
  async function receive(source: Source, count: number, { settle = true, limit = 100 } = {}) {
    const found = new Map<string, Delivery>();
    const deadline = Date.now() + 20_000;
    while (found.size < count) {
      try {
        const batch = await source.next(limit, ({ entryId }) => !settle && found.has(entryId));
        expect(batch.length).toBeLessThanOrEqual(limit);
        for (const delivery of batch) found.set(delivery.entryId, delivery);
        if (settle) await source.settle(batch);
      } catch (error) {
        // As the loop does: a broker that has just started says no for a moment.
        if (!/^Kafka: /.test((error as Error).message) || Date.now() > deadline) throw error;
      }
      if (Date.now() > deadline) break;
    }
    return [...found.values()];
  }
  const isQuiet = async (source: Source) => {
    for (let i = 0; i < 4; i++) expect(await source.next(100, nothingHeld)).toEqual([]);
  };

  test('what was there before the group comes in order per key, and settled it never comes again', async () => {
    await createTopic();
    await sendMany(60);
    const source = reader();
    const found = await receive(source, 60, { limit: 25 });
    expect(told(found).toSorted((a, b) => a - b)).toEqual(numbers(60));
    const byKey = Map.groupBy(found, ({ fields }) => fields?.key);
    expect(byKey.size).toBe(7);
    for (const some of byKey.values()) expect(told(some)).toEqual(told(some).toSorted((a, b) => a - b));
    expect(found[0]).toMatchObject({ source: topic, fields: { typ: 'x' } });
    await source.settle(found);
    await source.close();
    await send([event('k1', 60)]);
    const again = reader();
    expect(told(await receive(again, 1))).toEqual([60]);
    await isQuiet(again);
  }, 60_000);

  test('what is not settled comes again, to the same reader and after it is gone; what lies behind it, too', async () => {
    await createTopic(1);
    await sendMany(6);
    const source = reader();
    const found = await receive(source, 6, { settle: false });
    expect(told(await source.next(100, nothingHeld))).toEqual(numbers(6));
    await source.settle([...found.slice(0, 2), ...found.slice(4, 5)]);
    expect(told(await source.next(2, nothingHeld))).toEqual([2, 3]);
    await source.close();
    expect(told(await receive(reader(), 4))).toEqual([2, 3, 4, 5]);
  }, 60_000);

  test('held messages are passed by, and nothing behind them is committed past them', async () => {
    await createTopic(1);
    await sendMany(5);
    const source = reader();
    await receive(source, 5, { settle: false });
    const held = ({ fields }: Delivery) => fields?.n === '1';
    await source.settle(await source.next(100, held));
    expect(await source.next(100, held)).toEqual([]);
    expect(told(await source.next(100, nothingHeld))).toEqual([1]);
    await source.close();
    expect(told(await receive(reader(), 4)).at(0)).toBe(1);
  }, 60_000);

  test('partitions that move between readers lose nothing, whatever was in work', async () => {
    await createTopic();
    await sendMany(200);
    const seen = new Set<number>();
    const one = reader();
    const inWork = await receive(one, 200, { settle: false, limit: 200 });
    const two = reader();
    const work = async (source: Source) => {
      const batch = await source.next(20, nothingHeld);
      for (const n of told(batch)) seen.add(n);
      await source.settle(batch);
      return batch.length;
    };
    // Until the partitions have been shared out anew.
    const deadline = Date.now() + 20_000;
    while ((await two.next(1, nothingHeld)).length === 0 && Date.now() < deadline);
    await one.settle(inWork.slice(0, 50));
    for (const n of told(inWork.slice(0, 50))) seen.add(n);
    const allDone = async (readers: Source[]) => {
      for (const source of readers) await work(source);
      return one.state();
    };
    const done = [{ waiting: 0, pending: 0 }];
    await expect.poll(() => allDone([one, two]), { timeout: 20_000, interval: 1 }).toMatchObject(done);
    expect([...seen].toSorted((a, b) => a - b)).toEqual(numbers(200));
    await two.close();
    seen.clear();
    await sendMany(20);
    await expect.poll(() => allDone([one]), { timeout: 20_000, interval: 1 }).toMatchObject(done);
    expect([...seen].toSorted((a, b) => a - b)).toEqual(numbers(20));
  }, 60_000);

  test('a full buffer pauses, and everything still comes in order', async () => {
    await createTopic(1);
    for (const n of numbers(24))
      await send([{ key: 'k', value: JSON.stringify({ n, filler: 'x'.repeat(300_000) }) }]);
    const source = reader({ buffered: 2 });
    expect(told(await receive(source, 24, { limit: 3 }))).toEqual(numbers(24));
    await isQuiet(source);
  }, 60_000);

  test('values that are no envelopes are delivered all the same, and block nothing', async () => {
    await createTopic(1);
    await send([{ value: 'no JSON' }, { value: null }, { value: '{"n":"2"}', headers: { event_id: 'e' } }]);
    const found = await receive(reader(), 3);
    expect(found).toEqual([
      { source: topic, entryId: '0-0', fields: { payload: 'no JSON' } },
      { source: topic, entryId: '0-1', fields: null },
      { source: topic, entryId: '0-2', fields: { n: '2', event_id: 'e' } },
    ]);
  }, 60_000);

  test('topics that are missing are made, and those of our own log give their value as payload', async () => {
    const log = `${topic}.log`;
    const source = reader({ logs: [log] });
    await source.next(1, nothingHeld);
    await send([{ value: '{"event_type":"payment.recorded"}', headers: { event_id: 'e' } }], log);
    expect(await receive(source, 1)).toMatchObject([
      { source: log, fields: { event_id: 'e', payload: '{"event_type":"payment.recorded"}' } },
    ]);
    expect((await source.state()).map(({ source }) => source)).toEqual([topic, log]);
    await source.tend();
  }, 60_000);

  test('its state tells how much waits, how much is pending and for how long', async () => {
    await createTopic();
    await send([{ ...event('k', 0), timestamp: String(Date.now() - 90_000) }]);
    await sendMany(9);
    const source = reader();
    expect(await source.state()).toEqual([
      { source: topic, waiting: 10, pending: 0, oldestPendingSeconds: 0 },
    ]);
    await receive(source, 10, { settle: false });
    const [state] = await source.state();
    expect(state).toMatchObject({ waiting: 0, pending: 10 });
    expect(state?.oldestPendingSeconds).toBeGreaterThanOrEqual(90);
    await source.settle(await source.next(100, nothingHeld));
    expect(await source.state()).toMatchObject([{ waiting: 0, pending: 0, oldestPendingSeconds: 0 }]);
  }, 60_000);

  test('a Kafka that is away is a fault, nothing is lost, and it is found when it is back', async () => {
    await createTopic(1);
    await sendMany(3);
    const source = reader();
    const found = await receive(source, 3, { settle: false });
    await producer.disconnect();
    await broker.stop();
    await expect(source.settle(found)).rejects.toThrow();
    await expect(source.next(10, nothingHeld)).rejects.toThrow();
    broker = await start();
    await producer.connect();
    await sendMany(1);
    const seen: number[] = [];
    await expect
      .poll(
        async () => {
          const batch = await source.next(10, nothingHeld);
          await source.settle(batch);
          seen.push(...told(batch));
          return seen;
        },
        { timeout: 60_000, interval: 200 },
      )
      .toEqual([0, 1, 2, 0]);
  }, 120_000);
});
