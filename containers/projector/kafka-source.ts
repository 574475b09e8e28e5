// Events from Kafka topics. kafkajs pushes what it fetches into a bounded buffer, from which the projector pulls; the
// offset of a partition is committed up to the first message of it that is not settled. When partitions move between
// readers, or a reader dies, what was not committed comes again somewhere.
//
// What kafkajs 2.2.4 would do and this file does not let it:
//   restart by itself after a crash: the session is thrown away and the next call opens another
//   hand out a batch from before partitions were shared out anew, and go on behind it, past what was not settled: a
//   session that is given a gap after that is thrown away, too

import type { Log } from '../../shared/log.ts';
import {
  type Admin,
  type Consumer,
  type EachBatchPayload,
  ensureTopic,
  kafkaClient,
  kafkaReason,
} from '../kafka.ts';
import type { KafkaConnection } from '../kafka-settings.ts';
import { reconnecting } from '../reconnecting.ts';
import { messageFields } from './kafka-fields.ts';
import type { Delivery, Source, SourceState } from './source.ts';

const openTimeoutMs = 15_000;
const settleTimeoutMs = 10_000;
const askTimeoutMs = 8_000;
const closeTimeoutMs = 5_000;
/** How long a fetch waits for news: also how long it takes until a paused reader goes on. */
const fetchWaitMs = 250;
/** For the others to come to the sharing out: nobody works longer than this without giving way. */
const rebalanceTimeoutMs = 10_000;
/** With the answer comes the news that partitions are being shared out anew. */
const heartbeatMs = 1_000;
/** Brokers refuse less and more. */
const shortestSessionMs = 6_000;
const longestSessionMs = 30 * 60 * 1_000;

export interface KafkaSourceOptions extends KafkaConnection {
  /** Topics of envelopes. */
  topics: readonly string[];
  /** Topics of our own log, where a message's value is the payload itself. */
  logs: readonly string[];
  group: string;
  /** A reader that has been quiet for so long has lost its partitions. */
  claimAfterMs: number;
  /** The longest wait for new messages. */
  blockMs: number;
  /** About as many messages are held in memory; each fetch is bounded by bytes besides. */
  buffered: number;
}

interface Unsettled {
  offset: bigint;
  delivery: Delivery;
  sentAt: number;
  given: boolean;
}

interface Partition {
  topic: string;
  partition: number;
  /** By entry id, in order. */
  unsettled: Map<string, Unsettled>;
  /** Behind the last message that we were given. */
  end: bigint;
  /** Partitions were shared out anew since: all below `end` is settled, and reading must go on there or before. */
  isAnew: boolean;
}

interface Session {
  admin: Admin;
  consumer: Consumer;
  partitions: Map<string, Partition>;
  fault: Error | undefined;
  paused: boolean;
  /** Called when there is something new, or a fault. */
  wake: () => void;
}

export function openKafkaSource(options: KafkaSourceOptions, log: Log): Source {
  const kafka = kafkaClient(options, log);
  const topics = [...options.topics, ...options.logs];
  const logs = new Set(options.logs);

  const sessions = reconnecting<Session>({
    create: () => {
      const consumer = kafka.consumer({
        groupId: options.group,
        allowAutoTopicCreation: false,
        sessionTimeout: Math.min(Math.max(options.claimAfterMs, shortestSessionMs), longestSessionMs),
        rebalanceTimeout: rebalanceTimeoutMs,
        heartbeatInterval: heartbeatMs,
        maxWaitTimeInMs: fetchWaitMs,
        retry: {
          retries: 2,
          initialRetryTime: 100,
          maxRetryTime: 1_000,
          restartOnFailure: async () => false,
        },
      });
      const session: Session = {
        admin: kafka.admin(),
        consumer,
        partitions: new Map(),
        fault: undefined,
        paused: false,
        wake: () => {},
      };
      // It is not thrown away here: the next call tells why, and throws it away.
      consumer.on(consumer.events.CRASH, ({ payload }) => fail(session, payload.error));
      consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => shareOut(session, payload.memberAssignment));
      return session;
    },
    open: async (session) => {
      const { admin, consumer } = session;
      await Promise.all([admin.connect(), consumer.connect()]);
      for (const topic of topics) await ensureTopic(admin, topic, options);
      await consumer.subscribe({ topics, fromBeginning: true });
      // Not waited for: joining takes as long as the slowest of the others.
      consumer
        .run({ autoCommit: false, eachBatch: async (payload) => take(session, payload) })
        .catch((error) => fail(session, error));
    },
    discard: ({ admin, consumer }) => Promise.all([admin.disconnect(), consumer.disconnect()]),
  });

  const take = (session: Session, { batch }: EachBatchPayload) => {
    const { topic, partition } = batch;
    // What was asked for; the types do not tell of it.
    const from = BigInt((batch as typeof batch & { fetchedOffset: string }).fetchedOffset);
    const key = keyOf(topic, partition);
    const known = session.partitions.get(key) ?? newPartition(topic, partition);
    // Within one sharing out, offsets leave out some numbers but never go back, unless the topic was made anew.
    if (known.isAnew ? from > known.end : from < known.end) {
      fail(session, new Error(`${topic} ${partition} would go on at ${from} and not at ${known.end}`));
      return;
    }
    session.partitions.set(key, known);
    known.isAnew = false;
    for (const message of batch.messages) {
      const entryId = `${partition}-${message.offset}`;
      known.unsettled.set(entryId, {
        offset: BigInt(message.offset),
        delivery: { source: topic, entryId, fields: messageFields(message, logs.has(topic)) },
        sentAt: Number(message.timestamp),
        given: false,
      });
    }
    known.end = BigInt(batch.lastOffset()) + 1n;
    pauseOrResume(session);
    session.wake();
  };

  const pauseOrResume = (session: Session) => {
    let held = 0;
    for (const { unsettled } of session.partitions.values()) held += unsettled.size;
    const all = topics.map((topic) => ({ topic }));
    if (!session.paused && held >= options.buffered) {
      session.paused = true;
      session.consumer.pause(all);
    } else if (session.paused && held <= options.buffered / 2) {
      session.paused = false;
      session.consumer.resume(all);
    }
  };

  /** What of ours is not settled comes again, to whoever has the partition now. */
  const shareOut = (session: Session, assignment: Record<string, number[]>) => {
    for (const [key, known] of session.partitions) {
      if (!assignment[known.topic]?.includes(known.partition)) {
        session.partitions.delete(key);
        continue;
      }
      known.end = settledUpTo(known);
      known.isAnew = true;
      known.unsettled.clear();
    }
    pauseOrResume(session);
  };

  const use = <T>(limitMs: number, work: (session: Session) => Promise<T>): Promise<T> =>
    sessions.use(openTimeoutMs + limitMs, async (session) => {
      if (session.fault) throw new Error(`Kafka: ${kafkaReason(session.fault)}`, { cause: session.fault });
      return work(session);
    });

  return {
    async next(limit, held) {
      return use(options.blockMs, async (session) => {
        const found = pick(session, limit, held);
        if (found.length > 0) return found;
        await arrival(session, options.blockMs);
        return pick(session, limit, held);
      });
    },

    async settle(deliveries) {
      await use(settleTimeoutMs, async (session) => {
        const moved = new Set<Partition>();
        for (const { source, entryId } of deliveries) {
          const known = session.partitions.get(keyOf(source, Number.parseInt(entryId, 10)));
          if (known?.unsettled.delete(entryId)) moved.add(known);
        }
        if (moved.size === 0) return;
        pauseOrResume(session);
        const offsets = [...moved].map((known) => ({
          topic: known.topic,
          partition: known.partition,
          offset: String(settledUpTo(known)),
        }));
        await session.consumer.commitOffsets(offsets).catch((error) => {
          if (!isSharingOut(error)) throw error;
        });
      });
    },

    state: () => use(askTimeoutMs, (session) => stateOf(session, topics, options.group)),

    // Brokers remove what is old and forget who is gone.
    tend: async () => {},

    close: () => sessions.close(closeTimeoutMs),
  };
}

const keyOf = (topic: string, partition: number) => `${topic} ${partition}`;

const newPartition = (topic: string, partition: number): Partition => ({
  topic,
  partition,
  unsettled: new Map(),
  end: 0n,
  isAnew: false,
});

function settledUpTo({ unsettled, end }: Partition): bigint {
  const [first] = unsettled.values();
  return first?.offset ?? end;
}

function fail(session: Session, error: Error): void {
  session.fault ??= error;
  session.wake();
}

/** A partition that gave something goes behind the others. */
function pick({ partitions }: Session, limit: number, held: (delivery: Delivery) => boolean): Delivery[] {
  const found: Delivery[] = [];
  for (const [key, known] of [...partitions]) {
    const before = found.length;
    for (const entry of known.unsettled.values()) {
      if (found.length === limit) break;
      if (held(entry.delivery)) continue;
      entry.given = true;
      found.push(entry.delivery);
    }
    if (found.length === before) continue;
    partitions.delete(key);
    partitions.set(key, known);
  }
  return found;
}

async function arrival(session: Session, limitMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, limitMs);
    session.wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
  session.wake = () => {};
}

/** Somebody else has the partition now, or will tell who has: what was settled here may come again, and does no harm. */
function isSharingOut(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { type } = error as { type?: string };
  return (
    type === 'REBALANCE_IN_PROGRESS' ||
    type === 'ILLEGAL_GENERATION' ||
    type === 'UNKNOWN_MEMBER_ID' ||
    isSharingOut(error.cause)
  );
}

async function stateOf(
  { admin, partitions }: Session,
  topics: readonly string[],
  group: string,
): Promise<SourceState[]> {
  const committed = await admin.fetchOffsets({ groupId: group, topics: [...topics] });
  return Promise.all(
    topics.map(async (source) => {
      const read = new Map(
        committed
          .find(({ topic }) => topic === source)
          ?.partitions.map(({ partition, offset }) => [partition, Number(offset)]),
      );
      const ends = await admin.fetchTopicOffsets(source);
      const behind = ends.reduce(
        (sum, { partition, low, high }) =>
          sum + Number(high) - Math.max(Number(low), read.get(partition) ?? -1),
        0,
      );
      const given = [...partitions.values()]
        .filter(({ topic }) => topic === source)
        .flatMap(({ unsettled }) => [...unsettled.values()].filter((entry) => entry.given));
      const oldest = Math.min(...given.map(({ sentAt }) => sentAt));
      return {
        source,
        waiting: Math.max(0, behind - given.length),
        pending: given.length,
        oldestPendingSeconds:
          given.length === 0 ? 0 : Math.max(0, Math.round((Date.now() - oldest) / 100) / 10),
      };
    }),
  );
}
