// The drain's settings; .env.example documents each.

import * as z from 'zod/mini';
import { acceptedStream, parseSettings, redisUrl, wholeNumber } from '../../shared/settings.ts';
import { agreeing, commonSettings, commonVariables } from '../settings.ts';

const variables = z
  .object({
    ...commonVariables,
    ACCEPTED_REDIS_URL: redisUrl('the Redis that keeps accepted payments'),
    ACCEPTED_STREAM: acceptedStream(),
    DRAIN_INTERVAL_MS: wholeNumber(200, 1, 60_000),
    DRAIN_BATCH_SIZE: wholeNumber(200, 1, 5_000),
    DRAIN_CLAIM_AFTER_SECONDS: wholeNumber(60, 1, 3_600),
  })
  .check(agreeing());

/** Throws SettingsFault. */
export function readDrainSettings(env: Record<string, unknown>) {
  const v = parseSettings('drain', variables, env);
  return {
    ...commonSettings(v),
    redisUrl: v.ACCEPTED_REDIS_URL,
    stream: v.ACCEPTED_STREAM,
    idleMs: v.DRAIN_INTERVAL_MS,
    batchSize: v.DRAIN_BATCH_SIZE,
    /** What another drain has not settled for so long is taken over. */
    claimAfterMs: v.DRAIN_CLAIM_AFTER_SECONDS * 1_000,
  };
}
