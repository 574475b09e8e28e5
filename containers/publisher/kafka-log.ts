// The log as Kafka topics, and the only file that knows kafkajs. Acknowledged means written by all in-sync replicas
// (acks -1); messages of one key go to one partition in the order given. A topic that is missing is made.
//
// What kafkajs 2.2.4 would do and this file does not let it:
//   retry across a change of leaders and report success for partitions it never sent (its PR 1798): the answer must
//   name every partition the batch went to, else the batch fails and is sent again
//   reuse sequence numbers of a failed batch for other messages, which the broker would then drop as repetitions: a
//   producer that has seen a fault is thrown away
//   wake every millisecond for the life of a connection, and warn of a negative timeout (its issue 1556): see below

import { type Admin, Kafka, logLevel, Partitioners, type Producer, type SASLOptions } from 'kafkajs';
// @ts-expect-error kafkajs declares no types for its inner files
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import type { Log } from '../../shared/log.ts';
import { type EventLog, EventLogFault, TooLargeFault } from '../../shared/outbox/event-log.ts';
import { eventType, type OutboxMessage } from '../../shared/outbox/message.ts';
import { reconnecting } from '../reconnecting.ts';
import type { KafkaSettings } from './env.ts';

const connectionTimeoutMs = 3_000;
const requestTimeoutMs = 6_000;
/** How long a broker waits for its replicas: less than we wait for the broker. */
const acknowledgeTimeoutMs = 5_000;
/** All of connecting, kafkajs' own retries and the acknowledgement. */
const appendTimeoutMs = 15_000;
const checkTimeoutMs = 8_000;
const closeTimeoutMs = 3_000;

interface Session {
  admin: Admin;
  producer: Producer;
  /** `topic partition` of what the producer was given since it was cleared. */
  partitionsUsed: Set<string>;
  topicsSeen: Set<string>;
}

export function openKafkaLog(settings: KafkaSettings, log: Log): EventLog {
  const kafka = new Kafka({
    brokers: settings.brokers,
    clientId: settings.clientId,
    ssl: settings.tls && (settings.tls.ca ? { ca: [settings.tls.ca] } : true),
    // A copy, because kafkajs keeps its own things in the object it is given.
    sasl: settings.sasl && ({ ...settings.sasl } as SASLOptions),
    connectionTimeout: connectionTimeoutMs,
    authenticationTimeout: connectionTimeoutMs,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: { retries: 2, initialRetryTime: 100, maxRetryTime: 1_000 },
    logLevel: logLevel.WARN,
    // What matters of it reaches the caller as a fault; at every try it would be noise.
    logCreator: () => (entry) =>
      log.debug('kafkajs', { kafkajs_level: entry.label, from: entry.namespace, message: entry.log.message }),
  });

  const sessions = reconnecting<Session>({
    create: () => {
      const partitionsUsed = new Set<string>();
      const producer = kafka.producer({
        idempotent: true,
        maxInFlightRequests: 1,
        allowAutoTopicCreation: false,
        createPartitioner: () => {
          const partitionOf = Partitioners.DefaultPartitioner();
          return (given) => {
            const partition = partitionOf(given);
            partitionsUsed.add(`${given.topic} ${partition}`);
            return partition;
          };
        },
      });
      return { admin: kafka.admin(), producer, partitionsUsed, topicsSeen: new Set() };
    },
    open: ({ admin, producer }) => Promise.all([admin.connect(), producer.connect()]),
    discard: ({ admin, producer }) => Promise.all([admin.disconnect(), producer.disconnect()]),
  });

  const nameOf = (topic: string) => settings.topics[topic] ?? topic;

  return {
    async append(messages) {
      const byTopic = Map.groupBy(messages, (message) => nameOf(message.topic));
      const topicMessages = [...byTopic].map(([topic, some]) => ({ topic, messages: some.map(recordOf) }));
      try {
        await sessions.use(appendTimeoutMs, async (session) => {
          for (const topic of byTopic.keys()) await ensureTopic(session, topic, settings);
          session.partitionsUsed.clear();
          const answers = await session.producer.sendBatch({
            acks: -1,
            timeout: acknowledgeTimeoutMs,
            topicMessages,
          });
          const missing = unanswered(session.partitionsUsed, answers);
          if (missing.length > 0) throw new Error(`nothing heard of partition ${missing.join(', ')}`);
        });
      } catch (cause) {
        if (isTooLarge(cause)) throw new TooLargeFault('Kafka takes no message as large as this', { cause });
        throw new EventLogFault(`Kafka did not confirm the messages: ${reason(cause)}`, { cause });
      }
    },
    async check() {
      const topics = Object.values(settings.topics);
      try {
        await sessions.use(checkTimeoutMs, async (session) => {
          for (const topic of topics) await ensureTopic(session, topic, settings);
          const metadata = await session.admin.fetchTopicMetadata({ topics });
          const leaderless = metadata.topics.flatMap((topic) => topic.partitions).filter((p) => p.leader < 0);
          if (leaderless.length > 0) throw new Error(`${leaderless.length} partitions have no leader`);
        });
      } catch (cause) {
        throw new EventLogFault(`Kafka does not answer: ${reason(cause)}`, { cause });
      }
    },
    close: () => sessions.close(closeTimeoutMs),
  };
}

/** kafkajs' messages name brokers, topics and what went wrong, not what was sent. */
const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** The broker's `max.message.bytes` bounds what one partition gets at once, and so the single message too. */
function isTooLarge(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { type } = error as { type?: string };
  return type === 'MESSAGE_TOO_LARGE' || type === 'RECORD_LIST_TOO_LARGE' || isTooLarge(error.cause);
}

/** The partitions, as `topic partition`, that no answer names. */
export function unanswered(
  used: Iterable<string>,
  answers: ReadonlyArray<{ topicName: string; partition: number }>,
): string[] {
  const answered = new Set(answers.map((answer) => `${answer.topicName} ${answer.partition}`));
  return [...used].filter((partition) => !answered.has(partition));
}

const recordOf = (message: OutboxMessage) => {
  const type = eventType(message.payload);
  return {
    key: message.key,
    value: message.payload,
    headers: { event_id: message.eventId, ...(type && { event_type: type }) },
  };
};

/** A topic that exists is left as it is. Raising its partitions later breaks the order of keys that move. */
async function ensureTopic(session: Session, topic: string, settings: KafkaSettings): Promise<void> {
  if (session.topicsSeen.has(topic)) return;
  const existing = await session.admin.listTopics();
  if (!existing.includes(topic)) {
    const wanted = {
      topic,
      numPartitions: settings.partitions,
      replicationFactor: settings.replication,
    };
    try {
      await session.admin.createTopics({ topics: [wanted], timeout: requestTimeoutMs, waitForLeaders: true });
    } catch (error) {
      const [first = error] = error instanceof Error && 'errors' in error ? (error.errors as Error[]) : [];
      throw new Error(`topic ${topic} is missing and was not made: ${reason(first)}`);
    }
  }
  session.topicsSeen.add(topic);
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
