import { expect, test } from 'vitest';
import { SettingsFault } from '../../shared/settings.ts';
import { readPublisherSettings } from './env.ts';

const database = { DATABASE_URL: 'postgresql://recoup_publisher:secret@db:5432/recoup?sslmode=require' };
const kafka = { ...database, KAFKA_BROKERS: 'kafka:9092' };

function faults(env: Record<string, string>): readonly string[] {
  try {
    readPublisherSettings(env);
    return [];
  } catch (error) {
    if (error instanceof SettingsFault) return error.faults;
    throw error;
  }
}

test('with a database and brokers alone, everything else has its default', () => {
  expect(readPublisherSettings(kafka)).toEqual({
    logLevel: 'info',
    heartbeatMs: 5_000,
    database: { url: database.DATABASE_URL, min: 1, max: 4 },
    idleMs: 50,
    batchSize: 100,
    log: {
      kind: 'kafka',
      brokers: ['kafka:9092'],
      clientId: 'payment-service',
      topics: {
        'payment.events': 'payment.events',
        'payment.lifecycle': 'payment.lifecycle',
        'auth.events': 'auth.events',
      },
      partitions: 6,
      replication: -1,
      tls: false,
      sasl: undefined,
    },
  });
});

test('without brokers Redis is the log', () => {
  const { log } = readPublisherSettings({
    ...database,
    REDIS_URL: 'rediss://:p@redis:6380',
    KAFKA_BROKERS: '',
  });
  expect(log).toEqual({ kind: 'redis', url: 'rediss://:p@redis:6380', streamMaxLength: 1_000_000 });
});

test('with both, Kafka is the log', () => {
  expect(readPublisherSettings({ ...kafka, REDIS_URL: 'redis://redis' }).log.kind).toBe('kafka');
});

test('brokers, topic, encryption and sign-in are read', () => {
  const { log } = readPublisherSettings({
    ...kafka,
    KAFKA_BROKERS: 'a.example:9092, b.example:9092',
    KAFKA_TOPIC: 'prod.payments',
    KAFKA_LIFECYCLE_TOPIC: 'prod.lifecycle',
    KAFKA_TLS: 'true',
    KAFKA_TLS_CA: '-----BEGIN CERTIFICATE-----\\nMII\\n-----END CERTIFICATE-----',
    KAFKA_SASL_MECHANISM: 'scram-sha-512',
    KAFKA_SASL_USERNAME: 'recoup',
    KAFKA_SASL_PASSWORD: 'secret',
  });
  expect(log).toMatchObject({
    brokers: ['a.example:9092', 'b.example:9092'],
    topics: { 'payment.events': 'prod.payments', 'payment.lifecycle': 'prod.lifecycle' },
    tls: { ca: '-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----' },
    sasl: { mechanism: 'scram-sha-512', username: 'recoup', password: 'secret' },
  });
});

test('every fault is listed at once, by name, and never with the value', () => {
  const found = faults({
    DATABASE_URL: 'mysql://root:hunter2@db/x',
    LOG_LEVEL: 'loud',
    HEARTBEAT_SECONDS: '0',
    KAFKA_BATCH_SIZE: '1e3',
    KAFKA_BROKERS: 'kafka',
    KAFKA_TLS: 'yes',
    KAFKA_SASL_MECHANISM: 'gssapi',
    KAFKA_TOPIC_PARTITIONS: '0',
    KAFKA_TLS_CA: '/nowhere/ca.pem',
    DB_POOL_MIN: '9',
    REDIS_URL: 'hunter2',
  });
  expect(found).toEqual([
    'DATABASE_URL: expected postgresql://user:password@host:port/database',
    'LOG_LEVEL: expected debug, info, warn, error',
    'HEARTBEAT_SECONDS: expected a whole number from 1 to 10',
    'REDIS_URL: expected redis://user:password@host:port, or rediss:// for TLS',
    'KAFKA_BROKERS: expected host:port,host:port',
    'KAFKA_TLS: expected true or false',
    'KAFKA_TLS_CA: expected a PEM text or a readable file',
    'KAFKA_SASL_MECHANISM: expected plain, scram-sha-256, scram-sha-512',
    'KAFKA_BATCH_SIZE: expected a whole number from 1 to 10000',
    'DB_POOL_MIN: is more than DB_POOL_MAX',
    "KAFKA_TOPIC_PARTITIONS: expected at least 1, or -1: the broker's",
    'KAFKA_SASL_USERNAME: is missing beside the other two',
    'KAFKA_SASL_PASSWORD: is missing beside the other two',
  ]);
  expect(found.join()).not.toContain('hunter2');
});

test('an empty environment says what is missing', () => {
  expect(faults({})).toEqual([
    'DATABASE_URL: is missing: the database',
    'REDIS_URL: is missing: without KAFKA_BROKERS, Redis is the log',
  ]);
});

test('a certificate without encryption is refused rather than ignored', () => {
  expect(faults({ ...kafka, KAFKA_TLS_CA: '-----BEGIN CERTIFICATE-----' })).toEqual([
    'KAFKA_TLS_CA: has no effect unless KAFKA_TLS is true',
  ]);
});

test('two topics under one name are refused: a consumer could not tell which it reads', () => {
  expect(faults({ ...kafka, KAFKA_TOPIC: 'payments', KAFKA_LIFECYCLE_TOPIC: 'payments' })).toEqual([
    'KAFKA_LIFECYCLE_TOPIC: is KAFKA_TOPIC',
  ]);
});

test('sign-ins are not told among payments', () => {
  expect(faults({ ...kafka, KAFKA_AUTH_TOPIC: 'payment.lifecycle' })).toEqual([
    'KAFKA_AUTH_TOPIC: is KAFKA_TOPIC or KAFKA_LIFECYCLE_TOPIC',
  ]);
});
