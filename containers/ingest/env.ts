// The settings of ingest; .env.example documents each.

import { statSync } from 'node:fs';
import * as z from 'zod/mini';
import { readChannels } from '../../shared/payments/channel.ts';
import {
  currency,
  flag,
  parseSettings,
  SettingsFault,
  timeZone,
  wholeNumber,
} from '../../shared/settings.ts';
import { agreeing, commonSettings, commonVariables } from '../settings.ts';

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

const stagingFields = {
  BUSINESS_TIME_ZONE: timeZone(),
  DEFAULT_CURRENCY: currency(),
  STAGING_ENABLED: flag(true),
  STAGING_INTERVAL_SECONDS: wholeNumber(30, 1, 86_400),
  STAGING_BATCH_SIZE: wholeNumber(1_000, 1, 10_000),
  STAGING_WORKERS: wholeNumber(2, 1, 32),
  STAGING_MAX_RETRIES: wholeNumber(3, 0, 100),
};
const stagingSettings = (v: z.output<z.ZodMiniObject<typeof stagingFields>>) => ({
  business: { timeZone: v.BUSINESS_TIME_ZONE, currency: v.DEFAULT_CURRENCY },
  enabled: v.STAGING_ENABLED,
  idleMs: v.STAGING_INTERVAL_SECONDS * 1_000,
  batchSize: v.STAGING_BATCH_SIZE,
  workers: v.STAGING_WORKERS,
  maxRetries: v.STAGING_MAX_RETRIES,
});

/** Those of staging alone, for commands that stage. Throws SettingsFault. */
export const readStagingSettings = (env: Record<string, unknown>) =>
  stagingSettings(parseSettings('staging', z.object(stagingFields), env));

const fields = {
  ...commonVariables,
  ...stagingFields,
  /** Those with an API and a token are asked about notices. */
  CHANNELS: z._default(z.string(), '{}'),
  NOTICE_INTERVAL_SECONDS: wholeNumber(5, 1, 3_600),
  NOTICE_TIMEOUT_SECONDS: wholeNumber(10, 1, 120),
  PARTITIONS_AHEAD_MONTHS: wholeNumber(3, 1, 120),
  PARTITION_RETENTION_MONTHS: wholeNumber(12, 1, 1_200),
  SESSION_RETENTION_DAYS: wholeNumber(30, 1, 3_650),
  RETENTION_EXPORT_FOLDER: z.optional(z.string().check(z.refine(isFolder, 'expected a folder that exists'))),
};

const variables = z
  .object(fields)
  .check(
    agreeing((v: z.output<z.ZodMiniObject<typeof fields>>) => [
      v.STAGING_WORKERS + 2 > v.DB_POOL_MAX && [
        'DB_POOL_MAX',
        'expected at least two more than STAGING_WORKERS',
      ],
    ]),
  );

/** Throws SettingsFault. */
export function readIngestSettings(env: Record<string, unknown>) {
  const v = parseSettings('ingest', variables, env);
  const { channels, faults } = readChannels(v.CHANNELS, env);
  if (faults.length > 0) {
    throw new SettingsFault(
      'ingest',
      faults.map((fault) => `CHANNELS: ${fault}`),
    );
  }
  return {
    ...commonSettings(v),
    staging: stagingSettings(v),
    notices: {
      channels,
      idleMs: v.NOTICE_INTERVAL_SECONDS * 1_000,
      timeoutMs: v.NOTICE_TIMEOUT_SECONDS * 1_000,
    },
    partitions: { monthsAhead: v.PARTITIONS_AHEAD_MONTHS },
    cleanup: { sessionDays: v.SESSION_RETENTION_DAYS },
    retention: { keptMonths: v.PARTITION_RETENTION_MONTHS, exportFolder: v.RETENTION_EXPORT_FOLDER },
  };
}
