// The log as Kafka topics. Acknowledged means written by all in-sync replicas (acks -1); messages of one key go to one
// partition in the order given. A topic that is missing is made.
//
// What kafkajs 2.2.4 would do and this file does not let it:
//   retry across a change of leaders and report success for partitions it never sent (its PR 1798): the answer must
//   name every partition the batch went to, else the batch fails and is sent again
//   reuse sequence numbers of a failed batch for other messages, which the broker would then drop as repetitions: a
//   producer that has seen a fault is thrown away

import type { Log } from '../../shared/log.ts';
import { type EventLog, EventLogFault, TooLargeFault } from '../../shared/outbox/event-log.ts';
import { eventType, type OutboxMessage } from '../../shared/outbox/message.ts';
import {
  type Admin,
  ensureTopic,
  kafkaClient,
  Partitioners,
  type Producer,
  kafkaReason as reason,
} from '../kafka.ts';
import { reconnecting } from '../reconnecting.ts';
import type { KafkaSettings } from './env.ts';

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
  const kafka = kafkaClient(settings, log);
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

  const ensureSeen = async ({ admin, topicsSeen }: Session, topic: string) => {
    if (topicsSeen.has(topic)) return;
    await ensureTopic(admin, topic, settings);
    topicsSeen.add(topic);
  };
  const nameOf = (topic: string) => settings.topics[topic] ?? topic;

  return {
    async append(messages) {
      const byTopic = Map.groupBy(messages, (message) => nameOf(message.topic));
      const topicMessages = [...byTopic].map(([topic, some]) => ({ topic, messages: some.map(recordOf) }));
      try {
        await sessions.use(appendTimeoutMs, async (session) => {
          for (const topic of byTopic.keys()) await ensureSeen(session, topic);
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
          for (const topic of topics) await ensureSeen(session, topic);
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
