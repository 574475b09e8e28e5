// The publisher's settings; .env.example documents each. Kafka is the log where KAFKA_BROKERS names it, otherwise
// Redis is. Every fault is listed at once; what contradicts itself is refused rather than guessed.

import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { flag, parseSettings, redisUrl, wholeNumber } from '../../shared/settings.ts';
import { agreeing, type Contradiction, commonSettings, commonVariables } from '../settings.ts';

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

const topic = (name: string) =>
  z._default(
    z.string().check(z.regex(/^[A-Za-z0-9._-]{1,249}$/, 'expected letters, digits, dots, hyphens')),
    name,
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
  PUBLISH_INTERVAL_MS: wholeNumber(50, 1, 60_000),
  REDIS_URL: z.optional(redisUrl('Redis')),
  EVENT_STREAM_MAX_LENGTH: wholeNumber(1_000_000, 1_000, 1_000_000_000),
  KAFKA_BROKERS: z.optional(brokers),
  KAFKA_TOPIC: topic('payment.events'),
  KAFKA_LIFECYCLE_TOPIC: topic('payment.lifecycle'),
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

/** What is wrong between settings that are right one by one. */
function contradictions(v: z.output<z.ZodMiniObject<typeof fields>>): Contradiction[] {
  const names = ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const;
  const saslIsGiven = names.some((name) => v[name] !== undefined);
  return [
    !v.KAFKA_BROKERS && !v.REDIS_URL && ['REDIS_URL', 'is missing: without KAFKA_BROKERS, Redis is the log'],
    v.KAFKA_TOPIC_PARTITIONS === 0 && ['KAFKA_TOPIC_PARTITIONS', "expected at least 1, or -1: the broker's"],
    v.KAFKA_TOPIC_REPLICATION === 0 && [
      'KAFKA_TOPIC_REPLICATION',
      "expected at least 1, or -1: the broker's",
    ],
    v.KAFKA_LIFECYCLE_TOPIC === v.KAFKA_TOPIC && ['KAFKA_LIFECYCLE_TOPIC', 'is KAFKA_TOPIC'],
    v.KAFKA_TLS_CA !== undefined &&
      !v.KAFKA_TLS && ['KAFKA_TLS_CA', 'has no effect unless KAFKA_TLS is true'],
    ...names.map(
      (name): Contradiction =>
        saslIsGiven && v[name] === undefined ? [name, 'is missing beside the other two'] : false,
    ),
  ];
}

const variables = z.object(fields).check(agreeing(contradictions));

/** Throws SettingsFault. */
export function readPublisherSettings(env: Record<string, unknown>) {
  const v = parseSettings('publisher', variables, env);
  return {
    ...commonSettings(v),
    idleMs: v.PUBLISH_INTERVAL_MS,
    batchSize: v.KAFKA_BATCH_SIZE,
    log: v.KAFKA_BROKERS
      ? {
          kind: 'kafka' as const,
          brokers: v.KAFKA_BROKERS,
          clientId: v.KAFKA_CLIENT_ID,
          /** Our name of a topic -> Kafka's, where they differ. */
          topics: {
            'payment.events': v.KAFKA_TOPIC,
            'payment.lifecycle': v.KAFKA_LIFECYCLE_TOPIC,
          } as Record<string, string>,
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

type PublisherSettings = ReturnType<typeof readPublisherSettings>;
export type KafkaSettings = Extract<PublisherSettings['log'], { kind: 'kafka' }>;
export type RedisSettings = Extract<PublisherSettings['log'], { kind: 'redis' }>;
