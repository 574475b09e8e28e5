// The drain's settings; .env.example documents each.

import * as z from 'zod/mini';
import {
  acceptedStream,
  parseSettings,
  redisUrl,
  SettingsFault,
  wholeNumber,
} from '../../shared/settings.ts';
import { commonVariables } from '../settings.ts';

const variables = z.object({
  ...commonVariables,
  DB_POOL_MIN: wholeNumber(1, 0, 1_000),
  // One for the batch, one for the heartbeat.
  DB_POOL_MAX: wholeNumber(4, 2, 1_000),
  ACCEPTED_REDIS_URL: redisUrl('the Redis that keeps accepted payments'),
  ACCEPTED_STREAM: acceptedStream(),
  DRAIN_INTERVAL_MS: wholeNumber(200, 1, 60_000),
  DRAIN_BATCH_SIZE: wholeNumber(200, 1, 5_000),
  DRAIN_CLAIM_AFTER_SECONDS: wholeNumber(60, 1, 3_600),
});

/** Throws SettingsFault. */
export function readDrainSettings(env: Record<string, unknown>) {
  const v = parseSettings('drain', variables, env);
  if (v.DB_POOL_MIN > v.DB_POOL_MAX) {
    throw new SettingsFault('drain', ['DB_POOL_MIN: is more than DB_POOL_MAX']);
  }
  return {
    logLevel: v.LOG_LEVEL,
    heartbeatMs: v.HEARTBEAT_SECONDS * 1_000,
    database: { url: v.DATABASE_URL, min: v.DB_POOL_MIN, max: v.DB_POOL_MAX },
    redisUrl: v.ACCEPTED_REDIS_URL,
    stream: v.ACCEPTED_STREAM,
    idleMs: v.DRAIN_INTERVAL_MS,
    batchSize: v.DRAIN_BATCH_SIZE,
    /** What another drain has not settled for so long is taken over. */
    claimAfterMs: v.DRAIN_CLAIM_AFTER_SECONDS * 1_000,
  };
}
