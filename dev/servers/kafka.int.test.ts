import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Consumer, Kafka, logLevel, Partitioners } from 'kafkajs';
import { inject, test } from 'vitest';
import { startKafka } from './kafka.ts';

const skipped = inject('kafkaBrokers') === null;

function client(brokers: string, security: object = {}): Kafka {
  return new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING, ...security });
}

async function produce(kafka: Kafka, topic: string, value: string): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
  await admin.disconnect();
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic, messages: [{ value }] });
  await producer.disconnect();
}

async function firstValue(kafka: Kafka, topic: string): Promise<string | undefined> {
  const consumer: Consumer = kafka.consumer({ groupId: `group-${topic}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const value = await new Promise<string | undefined>((resolve) => {
    consumer.run({ eachMessage: async ({ message }) => resolve(message.value?.toString()) });
  });
  await consumer.disconnect();
  return value;
}

test.skipIf(skipped)('a topic that nobody created is refused', async ({ expect }) => {
  const kafka = client(inject('kafkaBrokers')!);
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { retries: 0 },
  });
  await producer.connect();
  await expect(producer.send({ topic: 'nobody', messages: [{ value: '1' }] })).rejects.toThrow();
  await producer.disconnect();
});

test.skipIf(skipped)(
  'messages outlast a restart, behind TLS and a password',
  { timeout: 90_000 },
  async ({ expect }) => {
    const folder = mkdtempSync(join(tmpdir(), 'recoup-kafka-'));
    const sasl = { username: 'recoup', password: 'a "quoted\\ pä=wd' };
    const start = async () => {
      const server = await startKafka({
        dataDir: join(folder, 'node'),
        logFile: join(folder, 'kafka.log'),
        sasl,
        tls: true,
      });
      return { server, ssl: { ca: [server.certificate!] } };
    };
    try {
      const first = await start();
      await produce(
        client(first.server.brokers, { ssl: first.ssl, sasl: { mechanism: 'plain', ...sasl } }),
        'kept',
        '42',
      );
      await first.server.stop();

      const second = await start();
      const secured = { ssl: second.ssl, retry: { retries: 0 } };
      const stranger = { mechanism: 'plain', username: 'recoup', password: 'guessed' };
      await expect(
        client(second.server.brokers, { ...secured, sasl: stranger })
          .admin()
          .connect(),
      ).rejects.toThrow();
      const known = client(second.server.brokers, { ...secured, sasl: { mechanism: 'plain', ...sasl } });
      expect(await firstValue(known, 'kept')).toBe('42');
      await second.server.stop();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
