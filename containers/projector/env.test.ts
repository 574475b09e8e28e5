import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { SettingsFault } from '../../shared/settings.ts';
import { readProjectorSettings } from './env.ts';

const key = (byte: number) => Buffer.alloc(32, byte).toString('base64');
const database = { DATABASE_URL: 'postgresql://recoup_projector:secret@db:5432/recoup' };
const required = { ...database, ARCHIVE_MASTER_KEYS: `a:${key(1)}` };
const redis = { ...required, REDIS_URL: 'redis://redis' };
const kafka = { ...required, KAFKA_BROKERS: 'kafka:9092' };
const faults = (env: Record<string, string>) => {
  try {
    readProjectorSettings(env);
    return [];
  } catch (error) {
    if (error instanceof SettingsFault) return error.faults;
    throw error;
  }
};

test('with a database, a Redis and a master key, everything else has its default', () => {
  expect(readProjectorSettings(redis)).toEqual({
    logLevel: 'info',
    heartbeatMs: 5_000,
    database: { url: database.DATABASE_URL, min: 1, max: 8 },
    redis: {
      url: 'redis://redis',
      inboxes: ['inbox:billie-servicing', 'inbox:billie-servicing:internal'],
      logs: ['payment.events', 'approval.events'],
    },
    kafka: undefined,
    deadLetters: { url: 'redis://redis', stream: 'dlq:billie-servicing' },
    group: 'billie-servicing-processor',
    consumer: hostname(),
    batchSize: 1_000,
    lanes: 2,
    idleMs: 200,
    claimAfterMs: 60_000,
    rules: { timeZone: 'UTC', currency: 'EUR', balances: 'events' },
    masterKeys: [{ name: 'a', key: new Uint8Array(32).fill(1) }],
  });
});

test('topics of Kafka are read instead of streams, without any Redis', () => {
  const settings = readProjectorSettings({ ...kafka, SERVICING_TOPICS: 'accounts, customers' });
  expect(settings).toMatchObject({
    redis: undefined,
    kafka: {
      brokers: ['kafka:9092'],
      topics: ['accounts', 'customers'],
      logs: ['payment.events', 'approval.events'],
    },
    deadLetters: undefined,
  });
});

test('our own log is in Kafka with brokers, also beside streams of Redis', () => {
  const settings = readProjectorSettings({ ...kafka, REDIS_URL: 'redis://redis' });
  expect(settings.redis?.logs).toEqual([]);
  expect(settings.kafka).toMatchObject({ topics: [], logs: ['payment.events', 'approval.events'] });
});

test('there is a connection for every lane of every kind of source, for the inbox and the heartbeat', () => {
  expect(faults({ ...redis, SERVICING_LANES: '7' })).toEqual([
    'DB_POOL_MAX: expected at least 9 for these lanes',
  ]);
  const both = { ...kafka, REDIS_URL: 'redis://redis', SERVICING_LANES: '3' };
  expect(faults({ ...both, DB_POOL_MAX: '7' })).toEqual(['DB_POOL_MAX: expected at least 8 for these lanes']);
  expect(readProjectorSettings({ ...both, DB_POOL_MAX: '8' }).lanes).toBe(3);
});

test('our own log can be named otherwise and turned off', () => {
  const named = { SERVICING_PAYMENT_EVENTS: 'prod.payments', SERVICING_APPROVAL_EVENTS: 'prod.approvals' };
  expect(readProjectorSettings({ ...redis, ...named }).redis?.logs).toEqual([
    'prod.payments',
    'prod.approvals',
  ]);
  const off = { SERVICING_PAYMENT_EVENTS: 'off', SERVICING_APPROVAL_EVENTS: 'off' };
  expect(readProjectorSettings({ ...redis, ...off }).redis?.logs).toEqual([]);
  expect(readProjectorSettings({ ...kafka, ...off, REDIS_URL: 'redis://redis' }).kafka).toBeUndefined();
});

test('several master keys are read in their order', () => {
  const { masterKeys } = readProjectorSettings({
    ...redis,
    ARCHIVE_MASTER_KEYS: `new:${key(2)}, old:${key(1)}`,
  });
  expect(masterKeys.map(({ name }) => name)).toEqual(['new', 'old']);
});

test('every fault is listed at once, by name, and never with the value', () => {
  const found = faults({
    DATABASE_URL: 'hunter2',
    REDIS_URL: 'http://hunter2',
    SERVICING_STREAMS: 'a,,hunter2',
    SERVICING_PAYMENT_EVENTS: 'hunter2 hunter2',
    SERVICING_APPROVAL_EVENTS: 'hunter2 hunter2',
    SERVICING_GROUP: 'hunter2 hunter2',
    SERVICING_CONSUMER: 'hunter2 hunter2',
    SERVICING_DEAD_LETTERS: 'hunter2 hunter2',
    SERVICING_BATCH_SIZE: '2001',
    SERVICING_LANES: '17',
    SERVICING_INTERVAL_MS: '0',
    SERVICING_CLAIM_AFTER_SECONDS: 'soon',
    SERVICING_BALANCES: 'guess',
    BUSINESS_TIME_ZONE: 'Mars/Phobos',
    DEFAULT_CURRENCY: 'XXXX',
    ARCHIVE_MASTER_KEYS: 'a:hunter2',
    KAFKA_BROKERS: 'hunter2',
  });
  expect(found).toEqual([
    'DATABASE_URL: expected postgresql://user:password@host:port/database',
    'REDIS_URL: expected redis://user:password@host:port, or rediss:// for TLS',
    'KAFKA_BROKERS: expected host:port,host:port',
    'SERVICING_STREAMS: expected names without spaces, with commas between them',
    'SERVICING_PAYMENT_EVENTS: expected a name without spaces',
    'SERVICING_APPROVAL_EVENTS: expected a name without spaces',
    'SERVICING_GROUP: expected a name without spaces',
    'SERVICING_CONSUMER: expected a name without spaces',
    'SERVICING_DEAD_LETTERS: expected a name without spaces',
    'SERVICING_BATCH_SIZE: expected a whole number from 1 to 2000',
    'SERVICING_LANES: expected a whole number from 1 to 16',
    'SERVICING_INTERVAL_MS: expected a whole number from 1 to 60000',
    'SERVICING_CLAIM_AFTER_SECONDS: expected a whole number from 1 to 3600',
    'SERVICING_BALANCES: expected events or ledger',
    'BUSINESS_TIME_ZONE: expected an IANA time zone',
    'DEFAULT_CURRENCY: expected an ISO 4217 code',
    'ARCHIVE_MASTER_KEYS: expected <name>:<base64 of 32 bytes>, with commas between several',
  ]);
});

test('an empty environment says what is missing', () => {
  expect(faults({})).toEqual([
    'DATABASE_URL: is missing: the database',
    'ARCHIVE_MASTER_KEYS: is missing: keys for what names people in the archive, <name>:<base64 of 32 bytes>,...',
    'REDIS_URL: is missing: without SERVICING_TOPICS, events are read from Redis',
  ]);
});

test.each<[Record<string, string>, string]>([
  [{ ...required, SERVICING_TOPICS: 'a' }, 'KAFKA_BROKERS: is missing beside SERVICING_TOPICS'],
  [
    { ...kafka, SERVICING_TOPICS: 'a', SERVICING_STREAMS: 'b' },
    'SERVICING_STREAMS: has no effect beside SERVICING_TOPICS',
  ],
  [{ ...redis, SERVICING_STREAMS: 'a,a' }, 'SERVICING_STREAMS: names one of them twice'],
  [
    { ...redis, ...kafka, SERVICING_PAYMENT_EVENTS: 'payment:events' },
    'SERVICING_PAYMENT_EVENTS: expected a topic: with KAFKA_BROKERS, our own log is in Kafka',
  ],
  [
    { ...redis, SERVICING_STREAMS: 'a', SERVICING_PAYMENT_EVENTS: 'a' },
    'SERVICING_PAYMENT_EVENTS: is named as something else, too',
  ],
  [
    { ...redis, SERVICING_APPROVAL_EVENTS: 'payment.events' },
    'SERVICING_APPROVAL_EVENTS: is SERVICING_PAYMENT_EVENTS',
  ],
  [
    { ...redis, SERVICING_STREAMS: 'a', SERVICING_DEAD_LETTERS: 'a' },
    'SERVICING_DEAD_LETTERS: is one of SERVICING_STREAMS: what is buried would come again',
  ],
  [
    { ...redis, ARCHIVE_MASTER_KEYS: `a:${key(1)},a:${key(2)}` },
    'ARCHIVE_MASTER_KEYS: two of them have the same name',
  ],
  [
    { ...redis, KAFKA_TLS_CA: '-----BEGIN CERTIFICATE-----' },
    'KAFKA_TLS_CA: has no effect unless KAFKA_TLS is true',
  ],
])('what contradicts itself is refused: %#', (env, fault) => {
  expect(faults(env)).toEqual([fault]);
});
