// The publisher's settings; .env.example documents each. Kafka is the log where KAFKA_BROKERS names it, otherwise
// Redis is. Every fault is listed at once; what contradicts itself is refused rather than guessed.

import * as z from 'zod/mini';
import { parseSettings, redisUrl, wholeNumber } from '../../shared/settings.ts';
import { isTopic, kafkaContradictions, kafkaSettings, kafkaVariables } from '../kafka-settings.ts';
import { agreeing, type Contradiction, commonSettings, commonVariables } from '../settings.ts';

const topic = (name: string) =>
  z._default(z.string().check(z.refine(isTopic, 'expected letters, digits, dots, hyphens')), name);

const fields = {
  ...commonVariables,
  PUBLISH_INTERVAL_MS: wholeNumber(50, 1, 60_000),
  REDIS_URL: z.optional(redisUrl('Redis')),
  EVENT_STREAM_MAX_LENGTH: wholeNumber(1_000_000, 1_000, 1_000_000_000),
  ...kafkaVariables,
  KAFKA_TOPIC: topic('payment.events'),
  KAFKA_LIFECYCLE_TOPIC: topic('payment.lifecycle'),
  KAFKA_AUTH_TOPIC: topic('auth.events'),
  KAFKA_BATCH_SIZE: wholeNumber(100, 1, 10_000),
};

/** What is wrong between settings that are right one by one. */
const contradictions = (v: z.output<z.ZodMiniObject<typeof fields>>): Contradiction[] => [
  !v.KAFKA_BROKERS && !v.REDIS_URL && ['REDIS_URL', 'is missing: without KAFKA_BROKERS, Redis is the log'],
  ...kafkaContradictions(v),
  v.KAFKA_LIFECYCLE_TOPIC === v.KAFKA_TOPIC && ['KAFKA_LIFECYCLE_TOPIC', 'is KAFKA_TOPIC'],
  // Who follows payments has no business with who signs in.
  [v.KAFKA_TOPIC, v.KAFKA_LIFECYCLE_TOPIC].includes(v.KAFKA_AUTH_TOPIC) && [
    'KAFKA_AUTH_TOPIC',
    'is KAFKA_TOPIC or KAFKA_LIFECYCLE_TOPIC',
  ],
];

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
          ...kafkaSettings(v),
          /** Our name of a topic -> Kafka's, where they differ. */
          topics: {
            'payment.events': v.KAFKA_TOPIC,
            'payment.lifecycle': v.KAFKA_LIFECYCLE_TOPIC,
            'auth.events': v.KAFKA_AUTH_TOPIC,
          } as Record<string, string>,
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
