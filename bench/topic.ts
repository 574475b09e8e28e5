// What stands in Kafka topics, read by another consumer's eyes: each event's copies and when the broker appended the
// first one. Only to be asked once everything has been sent.

import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';

export interface Sent {
  copies: number;
  /** Milliseconds since 1970 by the broker's clock. */
  appendedAt: number;
  reference: string;
}

const client = (brokers: string) => new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });

/** Topics whose messages carry the time at which the broker appended them, not the one a producer names. */
export async function createTopics(
  brokers: string,
  topics: readonly string[],
  partitions: number,
): Promise<void> {
  const admin = client(brokers).admin();
  await admin.connect();
  await admin.createTopics({
    // kafkajs gives up where a broker that is busy does not know its new topic yet; producers wait for it.
    waitForLeaders: false,
    topics: topics.map((topic) => ({
      topic,
      numPartitions: partitions,
      configEntries: [{ name: 'message.timestamp.type', value: 'LogAppendTime' }],
    })),
  });
  await admin.disconnect();
}

/** By topic and event id. */
export async function readEvents(brokers: string, topics: readonly string[]): Promise<Map<string, Sent>> {
  const kafka = client(brokers);
  const admin = kafka.admin();
  await admin.connect();
  const offsets = await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic)));
  await admin.disconnect();
  let missing = offsets.flat().reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
  const events = new Map<string, Sent>();
  if (missing === 0) return events;

  const consumer = kafka.consumer({ groupId: `bench-${randomUUID()}` });
  await consumer.connect();
  const { promise: complete, resolve } = Promise.withResolvers<void>();
  await consumer.subscribe({ topics: [...topics], fromBeginning: true });
  await consumer.run({
    eachBatch: async ({ batch }) => {
      for (const { headers, timestamp, value } of batch.messages) {
        // Both topics tell of one fact under one id.
        const id = `${batch.topic} ${headers?.event_id}`;
        const appendedAt = Number(timestamp);
        const before = events.get(id);
        if (before) {
          before.copies += 1;
          before.appendedAt = Math.min(before.appendedAt, appendedAt);
        } else events.set(id, { copies: 1, appendedAt, reference: referenceIn(String(value)) });
      }
      missing -= batch.messages.length;
      if (missing <= 0) resolve();
    },
  });
  await complete;
  await consumer.disconnect();
  return events;
}

/** Of payment.events and of payment.lifecycle. */
function referenceIn(payload: string): string {
  const { payment, paymentReferenceNumber } = JSON.parse(payload);
  return payment?.reference_number ?? paymentReferenceNumber;
}
