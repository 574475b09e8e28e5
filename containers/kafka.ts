// The only file that knows kafkajs: makes clients of it, and topics that are missing. What kafkajs 2.2.4 does and this
// file does not let it: wake every millisecond for the life of a connection, and warn of a negative timeout (its issue
// 1556); see below.

import { type Admin, Kafka, logLevel, type SASLOptions } from 'kafkajs';
// @ts-expect-error kafkajs declares no types for its inner files
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import type { Log } from '../shared/log.ts';
import type { KafkaConnection } from './kafka-settings.ts';

export { type Admin, type Consumer, type EachBatchPayload, Partitioners, type Producer } from 'kafkajs';

const connectionTimeoutMs = 3_000;
const requestTimeoutMs = 6_000;
/** Callers try again by themselves, with a connection of which they know more. */
const fewRetries = { retries: 2, initialRetryTime: 100, maxRetryTime: 1_000 };

export const kafkaClient = (settings: KafkaConnection, log: Log) =>
  new Kafka({
    brokers: settings.brokers,
    clientId: settings.clientId,
    ssl: settings.tls && (settings.tls.ca ? { ca: [settings.tls.ca] } : true),
    // A copy, because kafkajs keeps its own things in the object it is given.
    sasl: settings.sasl && ({ ...settings.sasl } as SASLOptions),
    connectionTimeout: connectionTimeoutMs,
    authenticationTimeout: connectionTimeoutMs,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: fewRetries,
    logLevel: logLevel.WARN,
    // What matters of it reaches the caller as a fault; at every try it would be noise.
    logCreator: () => (entry) =>
      log.debug('kafkajs', { kafkajs_level: entry.label, from: entry.namespace, message: entry.log.message }),
  });

/** kafkajs' messages name brokers, topics and what went wrong, not what was sent. */
export const kafkaReason = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** A topic that exists is left as it is. Raising its partitions later breaks the order of keys that move. */
export async function ensureTopic(
  admin: Admin,
  topic: string,
  settings: Pick<KafkaConnection, 'partitions' | 'replication'>,
): Promise<void> {
  const existing = await admin.listTopics();
  if (existing.includes(topic)) return;
  const wanted = { topic, numPartitions: settings.partitions, replicationFactor: settings.replication };
  try {
    await admin.createTopics({ topics: [wanted], timeout: requestTimeoutMs, waitForLeaders: true });
  } catch (error) {
    const [first = error] = error instanceof Error && 'errors' in error ? (error.errors as Error[]) : [];
    throw new Error(`topic ${topic} is missing and was not made: ${kafkaReason(first)}`);
  }
}

/**
 * kafkajs' own method sets a timer to its minimum of a millisecond even when nothing waits, for ever. This one sets
 * one only while something waits: for the end of the broker's throttling, else in 10 ms.
 */
RequestQueue.prototype.scheduleCheckPendingRequests = function schedule(this: {
  pending: unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
}) {
  if (this.throttleCheckTimeoutId || this.pending.length === 0) return;
  this.throttleCheckTimeoutId = setTimeout(
    () => {
      this.throttleCheckTimeoutId = null;
      this.checkPendingRequests();
    },
    Math.max(this.throttledUntil - Date.now(), 10),
  );
};
