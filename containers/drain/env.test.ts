import { expect, test } from 'vitest';
import { SettingsFault } from '../../shared/settings.ts';
import { readDrainSettings } from './env.ts';

const required = {
  DATABASE_URL: 'postgresql://recoup_drain:secret@db:5432/recoup',
  ACCEPTED_REDIS_URL: 'rediss://:secret@redis:6380',
};
const faults = (env: Record<string, string>) => {
  try {
    readDrainSettings(env);
    return [];
  } catch (error) {
    if (error instanceof SettingsFault) return error.faults;
    throw error;
  }
};

test('with a database and a Redis alone, everything else has its default', () => {
  expect(readDrainSettings(required)).toEqual({
    logLevel: 'info',
    heartbeatMs: 5_000,
    database: { url: required.DATABASE_URL, min: 1, max: 4 },
    redisUrl: required.ACCEPTED_REDIS_URL,
    stream: 'accepted:payments',
    idleMs: 200,
    batchSize: 200,
    claimAfterMs: 60_000,
  });
});

test('every fault is listed at once, by name, and never with the value', () => {
  const found = faults({
    DATABASE_URL: 'hunter2',
    ACCEPTED_REDIS_URL: 'http://hunter2',
    ACCEPTED_STREAM: 'hunter2 hunter2',
    DRAIN_INTERVAL_MS: '0',
    DRAIN_BATCH_SIZE: '5001',
    DRAIN_CLAIM_AFTER_SECONDS: 'soon',
  });
  expect(found).toEqual([
    'DATABASE_URL: expected postgresql://user:password@host:port/database',
    'ACCEPTED_REDIS_URL: expected redis://user:password@host:port, or rediss:// for TLS',
    'ACCEPTED_STREAM: expected a name without spaces',
    'DRAIN_INTERVAL_MS: expected a whole number from 1 to 60000',
    'DRAIN_BATCH_SIZE: expected a whole number from 1 to 5000',
    'DRAIN_CLAIM_AFTER_SECONDS: expected a whole number from 1 to 3600',
  ]);
});

test('a pool whose least is more than its most is refused', () => {
  expect(faults({ ...required, DB_POOL_MIN: '5' })).toEqual(['DB_POOL_MIN: is more than DB_POOL_MAX']);
});
