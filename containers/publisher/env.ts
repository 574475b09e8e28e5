// The publisher's settings; .env.example documents each. Kafka is the log where KAFKA_BROKERS names it, otherwise
// Redis is. Every fault is listed at once; what contradicts itself is refused rather than guessed.

import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { flag, parseSettings, redisUrl, wholeNumber } from '../../shared/settings.ts';
import { commonVariables } from '../settings.ts';

const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
const address = /^[A-Za-z0-9._-]+:\d{1,5}$/;

const brokers = z.pipe(
  z.string(),
  z.pipe(
    z.transform((list: string) => list.split(',').map((broker) => broker.trim())),
    z
      .array(z.string())
      .check(
        z.refine((list) => list.every((broker) => address.test(broker)), 'expected host:port,host:port'),
      ),
  ),
);

const certificate = z.pipe(
  z.string(),
  z.transform((given, context) => {
    if (given.includes('-----BEGIN CERTIFICATE-----')) return given.replaceAll('\\n', '\n');
    try {
      return readFileSync(given, 'utf8');
    } catch {
      context.issues.push({
        code: 'custom',
        input: given,
        message: 'expected a PEM text or a readable file',
      });
      return z.NEVER;
    }
  }),
);

const fields = {
  ...commonVariables,
  DB_POOL_MIN: wholeNumber(1, 0, 1_000),
  // One for the batch, one for the heartbeat.
  DB_POOL_MAX: wholeNumber(4, 2, 1_000),
  PUBLISH_INTERVAL_MS: wholeNumber(50, 1, 60_000),
  REDIS_URL: z.optional(redisUrl('Redis')),
  EVENT_STREAM_MAX_LENGTH: wholeNumber(1_000_000, 1_000, 1_000_000_000),
  KAFKA_BROKERS: z.optional(brokers),
  KAFKA_TOPIC: z._default(
    z.string().check(z.regex(/^[A-Za-z0-9._-]{1,249}$/, 'expected letters, digits, dots, hyphens')),
    'payment.events',
  ),
  KAFKA_CLIENT_ID: z._default(z.string(), 'payment-service'),
  KAFKA_BATCH_SIZE: wholeNumber(100, 1, 10_000),
  KAFKA_TOPIC_PARTITIONS: wholeNumber(6, -1, 10_000),
  KAFKA_TOPIC_REPLICATION: wholeNumber(-1, -1, 100),
  KAFKA_TLS: flag(false),
  KAFKA_TLS_CA: z.optional(certificate),
  KAFKA_SASL_MECHANISM: z.optional(z.enum(mechanisms, `expected ${mechanisms.join(', ')}`)),
  KAFKA_SASL_USERNAME: z.optional(z.string()),
  KAFKA_SASL_PASSWORD: z.optional(z.string()),
};

type Values = z.output<z.ZodMiniObject<typeof fields>>;

/** What is wrong between settings that are right one by one. */
function contradictions(v: Values): Array<[keyof Values, string]> {
  const found: Array<[keyof Values, string] | false> = [
    v.DB_POOL_MIN > v.DB_POOL_MAX && ['DB_POOL_MIN', 'is more than DB_POOL_MAX'],
    !v.KAFKA_BROKERS && !v.REDIS_URL && ['REDIS_URL', 'is missing: without KAFKA_BROKERS, Redis is the log'],
    v.KAFKA_TOPIC_PARTITIONS === 0 && ['KAFKA_TOPIC_PARTITIONS', "expected at least 1, or -1: the broker's"],
    v.KAFKA_TOPIC_REPLICATION === 0 && [
      'KAFKA_TOPIC_REPLICATION',
      "expected at least 1, or -1: the broker's",
    ],
    v.KAFKA_TLS_CA !== undefined &&
      !v.KAFKA_TLS && ['KAFKA_TLS_CA', 'has no effect unless KAFKA_TLS is true'],
  ];
  const names = ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const;
  if (names.some((name) => v[name] !== undefined)) {
    for (const name of names) found.push(v[name] === undefined && [name, 'is missing beside the other two']);
  }
  return found.filter((contradiction) => contradiction !== false);
}

const variables = z.object(fields).check(
  z.superRefine(
    (values: Values, context) => {
      for (const [name, message] of contradictions(values)) {
        context.issues.push({ code: 'custom', input: undefined, path: [name], message });
      }
    },
    // Also when single settings are wrong, so that one start shows everything.
    { when: () => true },
  ),
);

/** Throws SettingsFault. */
export function readPublisherSettings(env: Record<string, unknown>) {
  const v = parseSettings('publisher', variables, env);
  return {
    logLevel: v.LOG_LEVEL,
    heartbeatMs: v.HEARTBEAT_SECONDS * 1_000,
    probePort: v.PROBE_PORT,
    database: { url: v.DATABASE_URL, min: v.DB_POOL_MIN, max: v.DB_POOL_MAX },
    idleMs: v.PUBLISH_INTERVAL_MS,
    batchSize: v.KAFKA_BATCH_SIZE,
    log: v.KAFKA_BROKERS
      ? {
          kind: 'kafka' as const,
          brokers: v.KAFKA_BROKERS,
          clientId: v.KAFKA_CLIENT_ID,
          /** Our name of a topic -> Kafka's, where they differ. */
          topics: { 'payment.events': v.KAFKA_TOPIC } as Record<string, string>,
          partitions: v.KAFKA_TOPIC_PARTITIONS,
          replication: v.KAFKA_TOPIC_REPLICATION,
          tls: v.KAFKA_TLS && { ca: v.KAFKA_TLS_CA },
          sasl: v.KAFKA_SASL_MECHANISM && {
            mechanism: v.KAFKA_SASL_MECHANISM,
            username: v.KAFKA_SASL_USERNAME as string,
            password: v.KAFKA_SASL_PASSWORD as string,
          },
        }
      : {
          kind: 'redis' as const,
          url: v.REDIS_URL as string,
          streamMaxLength: v.EVENT_STREAM_MAX_LENGTH,
        },
  };
}

export type PublisherSettings = ReturnType<typeof readPublisherSettings>;
export type KafkaSettings = Extract<PublisherSettings['log'], { kind: 'kafka' }>;
export type RedisSettings = Extract<PublisherSettings['log'], { kind: 'redis' }>;
