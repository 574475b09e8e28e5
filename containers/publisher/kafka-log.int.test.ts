import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { type Kafka, type KafkaOptions, startKafka } from '../../dev/servers/kafka.ts';
import { freePort } from '../../dev/servers/port.ts';
import { createLog } from '../../shared/log.ts';
import { TooLargeFault } from '../../shared/outbox/event-log.ts';
import { message } from '../../shared/outbox/testing.ts';
import type { KafkaSettings } from './env.ts';
import { eventLogContract } from './event-log.contract.ts';
import { openKafkaLog } from './kafka-log.ts';
import { readTopic } from './testing.ts';

const settings = (brokers: string, more: Partial<KafkaSettings> = {}): KafkaSettings => ({
  kind: 'kafka',
  brokers: brokers.split(','),
  clientId: 'test',
  topics: { 'payment.events': 'payment.events' },
  partitions: 3,
  replication: -1,
  tls: false,
  sasl: undefined,
  ...more,
});
const quiet = createLog('error', {}, () => {});
const open = (brokers: string, more?: Partial<KafkaSettings>) => openKafkaLog(settings(brokers, more), quiet);

describe.skipIf(inject('kafkaBrokers') === null)('Kafka as the log', () => {
  // A broker of our own, because it is stopped and started.
  const folder = mkdtempSync(join(tmpdir(), `recoup-test-${process.pid}-`));
  let port: number;
  let broker: Kafka;
  const start = async (more: Partial<KafkaOptions> = {}) =>
    startKafka({ dataDir: join(folder, 'data'), logFile: join(folder, 'kafka.log'), port, ...more });

  beforeAll(async () => {
    port = await freePort();
    broker = await start();
  }, 120_000);
  afterAll(async () => {
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  eventLogContract(() => ({
    open: (silentPort) => open(silentPort ? `127.0.0.1:${silentPort}` : broker.brokers),
    read: (topic) => readTopic(broker.brokers, topic),
    cut: () => broker.stop(),
    mend: async () => {
      broker = await start();
    },
  }));

  test('a message carries its event id and its type as headers', async () => {
    const log = open(broker.brokers);
    const sent = message('loan', 1, {}, 'headers');
    await log.append([sent]);
    await log.close();
    expect(await readTopic(broker.brokers, 'headers')).toEqual([
      { eventId: sent.eventId, key: 'loan', payload: sent.payload, eventType: 'payment.recorded' },
    ]);
  });

  test('payment.events is published under the name the settings give it', async () => {
    const log = open(broker.brokers, { topics: { 'payment.events': 'renamed' } });
    await log.append([message('loan', 1)]);
    await log.close();
    expect(await readTopic(broker.brokers, 'renamed')).toHaveLength(1);
  });

  test('asking whether the log is there makes the missing topic', async () => {
    const log = open(broker.brokers, { topics: { 'payment.events': 'made-by-check' } });
    await log.check();
    await log.close();
    expect(await readTopic(broker.brokers, 'made-by-check')).toEqual([]);
  });

  test('a topic that cannot be made is a fault that says why', async () => {
    const log = open(broker.brokers, { replication: 3, topics: { 'payment.events': 'too-safe' } });
    await expect(log.check()).rejects.toThrow(
      /^Kafka does not answer: topic too-safe is missing and was not made: .*[Rr]eplication/,
    );
    await log.close();
  });

  test('a message that the broker does not take is a fault of its own, and does not disturb the ones after it', async () => {
    const log = open(broker.brokers);
    await expect(log.append([message('a', 1, { filler: 'x'.repeat(2_000_000) }, 'huge')])).rejects.toThrow(
      TooLargeFault,
    );
    await log.append([message('a', 2, {}, 'huge')]);
    await log.close();
    expect(await readTopic(broker.brokers, 'huge')).toHaveLength(1);
  });

  test('nothing is written past our log, and no timer runs while nothing is sent', async () => {
    const warned = vi.fn();
    process.on('warning', warned);
    const written = vi.spyOn(console, 'warn');
    const log = open(broker.brokers);
    await log.check();
    const timers = vi.spyOn(globalThis, 'setTimeout');
    await new Promise((resolve) => setImmediate(resolve));
    const before = timers.mock.calls.length;
    await new Promise((resolve) => setInterval(resolve, 200).unref());
    expect(timers.mock.calls.length - before).toBeLessThan(3);
    await log.close();
    expect(warned).not.toHaveBeenCalled();
    expect(written).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  });

  test('with TLS and a password, only the right certificate and the right password open the log', async () => {
    const sasl = { mechanism: 'plain', username: 'recoup', password: 'right' } as const;
    const secured = await start({
      dataDir: join(folder, 'secured'),
      port: await freePort(),
      tls: true,
      sasl: { username: sasl.username, password: sasl.password },
    });
    try {
      const tls = { ca: secured.certificate };
      const right = open(secured.brokers, { tls, sasl });
      await right.append([message('a', 1)]);
      await right.close();
      for (const wrong of [
        { tls, sasl: { ...sasl, password: 'wrong' } },
        { tls: { ca: undefined }, sasl },
        { tls: false as const, sasl },
      ]) {
        const log = open(secured.brokers, wrong);
        await expect(log.append([message('a', 2)])).rejects.toThrow('Kafka did not confirm the messages');
        await log.close();
      }
    } finally {
      await secured.stop();
    }
  }, 120_000);
});
