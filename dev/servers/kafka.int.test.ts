import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, type KafkaConfig, logLevel, Partitioners } from 'kafkajs';
import { inject, test } from 'vitest';
import { startKafka } from './kafka.ts';

const skipped = inject('kafkaBrokers') === null;

function client(brokers: string, security: Partial<KafkaConfig> = {}): Kafka {
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
  const consumer = kafka.consumer({ groupId: `group-${topic}` });
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
  'messages outlast a restart, which may put TLS and a password before them',
  { timeout: 120_000 },
  async ({ expect }) => {
    const folder = mkdtempSync(join(inject('runFolder'), 'kafka-'));
    const options = { dataDir: join(folder, 'node'), logFile: join(folder, 'log') };
    const open = await startKafka(options);
    await produce(client(open.brokers), 'kept', '42');
    await open.stop();

    const sasl = { username: 'recoup', password: 'a "quoted\\ pä=wd' };
    const closed = await startKafka({ ...options, sasl, tls: true });
    const as = (password: string) =>
      client(closed.brokers, {
        ssl: { ca: [closed.certificate!] },
        sasl: { mechanism: 'plain', username: 'recoup', password },
      });
    const stranger = as('guessed').admin({ retry: { retries: 0 } });
    await expect(stranger.connect()).rejects.toThrow(/Authentication failed/);
    expect(await firstValue(as(sasl.password), 'kept')).toBe('42');
    await closed.stop();
  },
);
