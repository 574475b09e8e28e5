// How Kafka is reached: settings of every container that writes to it or reads from it.

import * as z from 'zod/mini';
import { flag, wholeNumber } from '../shared/settings.ts';
import { type Contradiction, pem } from './settings.ts';

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

/** What Kafka allows as a topic's name. */
export const isTopic = (name: string) => /^[A-Za-z0-9._-]{1,249}$/.test(name);

export const kafkaVariables = {
  KAFKA_BROKERS: z.optional(brokers),
  KAFKA_CLIENT_ID: z._default(z.string(), 'payment-service'),
  KAFKA_TOPIC_PARTITIONS: wholeNumber(6, -1, 10_000),
  KAFKA_TOPIC_REPLICATION: wholeNumber(-1, -1, 100),
  KAFKA_TLS: flag(false),
  KAFKA_TLS_CA: z.optional(pem('CERTIFICATE')),
  KAFKA_SASL_MECHANISM: z.optional(z.enum(mechanisms, `expected ${mechanisms.join(', ')}`)),
  KAFKA_SASL_USERNAME: z.optional(z.string()),
  KAFKA_SASL_PASSWORD: z.optional(z.string()),
};
type Variables = z.output<z.ZodMiniObject<typeof kafkaVariables>>;

/** What is wrong between settings that are right one by one. */
export function kafkaContradictions(v: Variables): Contradiction[] {
  const names = ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const;
  const saslIsGiven = names.some((name) => v[name] !== undefined);
  const atLeastOne = "expected at least 1, or -1: the broker's";
  return [
    v.KAFKA_TOPIC_PARTITIONS === 0 && ['KAFKA_TOPIC_PARTITIONS', atLeastOne],
    v.KAFKA_TOPIC_REPLICATION === 0 && ['KAFKA_TOPIC_REPLICATION', atLeastOne],
    v.KAFKA_TLS_CA !== undefined &&
      !v.KAFKA_TLS && ['KAFKA_TLS_CA', 'has no effect unless KAFKA_TLS is true'],
    ...names.map(
      (name): Contradiction =>
        saslIsGiven && v[name] === undefined ? [name, 'is missing beside the other two'] : false,
    ),
  ];
}

export const kafkaSettings = (v: Variables) => ({
  brokers: v.KAFKA_BROKERS ?? [],
  clientId: v.KAFKA_CLIENT_ID,
  /** Of topics that are missing and made. */
  partitions: v.KAFKA_TOPIC_PARTITIONS,
  replication: v.KAFKA_TOPIC_REPLICATION,
  tls: v.KAFKA_TLS && { ca: v.KAFKA_TLS_CA },
  sasl: v.KAFKA_SASL_MECHANISM && {
    mechanism: v.KAFKA_SASL_MECHANISM,
    username: v.KAFKA_SASL_USERNAME as string,
    password: v.KAFKA_SASL_PASSWORD as string,
  },
});
export type KafkaConnection = ReturnType<typeof kafkaSettings>;
