// The projector's settings; .env.example documents each. Servicing events come from Redis streams, or from Kafka topics
// where SERVICING_TOPICS names some; our own log is wherever the publisher writes it, in Kafka with KAFKA_BROKERS and
// else in Redis. Every fault is listed at once; what contradicts itself is refused rather than guessed.

import { hostname } from 'node:os';
import * as z from 'zod/mini';
import { currency, parseSettings, redisUrl, timeZone, wholeNumber } from '../../shared/settings.ts';
import { isTopic, kafkaContradictions, kafkaSettings, kafkaVariables } from '../kafka-settings.ts';
import { agreeing, type Contradiction, commonSettings, commonVariables } from '../settings.ts';
import { masterKeys } from './master-keys.ts';

const isStream = (name: string) => /^[\w:.{}-]{1,200}$/.test(name);
const name = (byDefault: string) =>
  z._default(z.string().check(z.refine(isStream, 'expected a name without spaces')), byDefault);

const names = (is: (name: string) => boolean, expected: string) =>
  z.pipe(
    z.string(),
    z.pipe(
      z.transform((list: string) => list.split(',').map((one) => one.trim())),
      z.array(z.string()).check(
        z.refine((list) => list.every(is), expected),
        z.refine((list) => new Set(list).size === list.length, 'names one of them twice'),
      ),
    ),
  );

const defaultStreams = ['inbox:billie-servicing', 'inbox:billie-servicing:internal'];

const fields = {
  ...commonVariables,
  DB_POOL_MAX: wholeNumber(8, 2, 1_000),
  REDIS_URL: z.optional(redisUrl('Redis')),
  ...kafkaVariables,
  SERVICING_STREAMS: z.optional(names(isStream, 'expected names without spaces, with commas between them')),
  SERVICING_TOPICS: z.optional(names(isTopic, 'expected topics with commas between them')),
  SERVICING_PAYMENT_EVENTS: name('payment.events'),
  SERVICING_APPROVAL_EVENTS: name('approval.events'),
  SERVICING_GROUP: name('billie-servicing-processor'),
  SERVICING_CONSUMER: z._default(
    z.string().check(z.refine(isStream, 'expected a name without spaces')),
    hostname(),
  ),
  SERVICING_DEAD_LETTERS: name('dlq:billie-servicing'),
  SERVICING_BATCH_SIZE: wholeNumber(1_000, 1, 2_000),
  SERVICING_LANES: wholeNumber(2, 1, 16),
  SERVICING_INTERVAL_MS: wholeNumber(200, 1, 60_000),
  SERVICING_CLAIM_AFTER_SECONDS: wholeNumber(60, 1, 3_600),
  SERVICING_BALANCES: z._default(z.enum(['events', 'ledger'], 'expected events or ledger'), 'events'),
  BUSINESS_TIME_ZONE: timeZone(),
  DEFAULT_CURRENCY: currency(),
  ARCHIVE_MASTER_KEYS: masterKeys(),
};
type Values = z.output<z.ZodMiniObject<typeof fields>>;

const inboxesOf = (v: Values) => (v.SERVICING_TOPICS ? [] : (v.SERVICING_STREAMS ?? defaultStreams));
const ownLogNames = ['SERVICING_PAYMENT_EVENTS', 'SERVICING_APPROVAL_EVENTS'] as const;
const isRead = (log: string) => log !== 'off' && isStream(log);
const ownLog = (v: Values) => ownLogNames.map((named) => v[named]).filter(isRead);

/** Each lane has a connection for every kind of source it reads; beside them are the inbox, and the heartbeat. */
const connectionsOf = (v: Values): number => {
  const readsRedis = inboxesOf(v).length > 0 || (v.KAFKA_BROKERS === undefined && ownLog(v).length > 0);
  const readsKafka =
    v.SERVICING_TOPICS !== undefined || (v.KAFKA_BROKERS !== undefined && ownLog(v).length > 0);
  return v.SERVICING_LANES * (Number(readsRedis) + Number(readsKafka)) + 2;
};

/** What is wrong between settings that are right one by one. */
const contradictions = (v: Values): Contradiction[] => [
  // Of a number that is wrong by itself nothing follows.
  typeof v.SERVICING_LANES === 'number' &&
    v.DB_POOL_MAX < connectionsOf(v) && [
      'DB_POOL_MAX',
      `expected at least ${connectionsOf(v)} for these lanes`,
    ],
  !v.SERVICING_TOPICS &&
    !v.REDIS_URL && ['REDIS_URL', 'is missing: without SERVICING_TOPICS, events are read from Redis'],
  v.SERVICING_TOPICS !== undefined &&
    !v.KAFKA_BROKERS && ['KAFKA_BROKERS', 'is missing beside SERVICING_TOPICS'],
  v.SERVICING_TOPICS !== undefined &&
    v.SERVICING_STREAMS !== undefined && ['SERVICING_STREAMS', 'has no effect beside SERVICING_TOPICS'],
  ...ownLogNames
    .filter((named) => isRead(v[named]))
    .flatMap((named): Contradiction[] => [
      v.KAFKA_BROKERS !== undefined &&
        !isTopic(v[named]) && [named, 'expected a topic: with KAFKA_BROKERS, our own log is in Kafka'],
      [...(v.SERVICING_TOPICS ?? inboxesOf(v)), v.SERVICING_DEAD_LETTERS].includes(v[named]) && [
        named,
        'is named as something else, too',
      ],
    ]),
  isRead(v.SERVICING_APPROVAL_EVENTS) &&
    v.SERVICING_APPROVAL_EVENTS === v.SERVICING_PAYMENT_EVENTS && [
      'SERVICING_APPROVAL_EVENTS',
      'is SERVICING_PAYMENT_EVENTS',
    ],
  inboxesOf(v).includes(v.SERVICING_DEAD_LETTERS) && [
    'SERVICING_DEAD_LETTERS',
    'is one of SERVICING_STREAMS: what is buried would come again',
  ],
  ...kafkaContradictions(v),
];

const variables = z.object(fields).check(agreeing(contradictions));

/** Throws SettingsFault. */
export function readProjectorSettings(env: Record<string, unknown>) {
  const v = parseSettings('projector', variables, env);
  const inKafka = v.KAFKA_BROKERS !== undefined;
  const redis = { inboxes: inboxesOf(v), logs: inKafka ? [] : ownLog(v) };
  const kafka = { topics: v.SERVICING_TOPICS ?? [], logs: inKafka ? ownLog(v) : [] };
  return {
    ...commonSettings(v),
    /** Streams to read, if any. */
    redis:
      redis.inboxes.length + redis.logs.length > 0 ? { url: v.REDIS_URL as string, ...redis } : undefined,
    /** Topics to read, if any. */
    kafka: kafka.topics.length + kafka.logs.length > 0 ? { ...kafkaSettings(v), ...kafka } : undefined,
    /** The twin of the table of dead letters, where there is a Redis. */
    deadLetters:
      v.REDIS_URL === undefined ? undefined : { url: v.REDIS_URL, stream: v.SERVICING_DEAD_LETTERS },
    group: v.SERVICING_GROUP,
    /** The same after a restart: what was read under it and not settled is then taken up at once. */
    consumer: v.SERVICING_CONSUMER,
    batchSize: v.SERVICING_BATCH_SIZE,
    /** Loops side by side, each with readers of its own. */
    lanes: v.SERVICING_LANES,
    idleMs: v.SERVICING_INTERVAL_MS,
    /** What another reader has not settled for so long is taken over. */
    claimAfterMs: v.SERVICING_CLAIM_AFTER_SECONDS * 1_000,
    rules: {
      timeZone: v.BUSINESS_TIME_ZONE,
      currency: v.DEFAULT_CURRENCY,
      balances: v.SERVICING_BALANCES,
    },
    /** The first wraps new keys, all unwrap. */
    masterKeys: v.ARCHIVE_MASTER_KEYS,
  };
}

export type ProjectorSettings = ReturnType<typeof readProjectorSettings>;
