// The settings of ingest; .env.example documents each. Every fault is listed at once.

import { statSync } from 'node:fs';
import * as z from 'zod/mini';
import { parseSettings, wholeNumber } from '../../shared/settings.ts';
import { commonVariables } from '../settings.ts';

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

const fields = {
  ...commonVariables,
  DB_POOL_MIN: wholeNumber(1, 0, 1_000),
  DB_POOL_MAX: wholeNumber(4, 2, 1_000),
  PARTITIONS_AHEAD_MONTHS: wholeNumber(3, 1, 120),
  PARTITION_RETENTION_MONTHS: wholeNumber(12, 1, 1_200),
  RETENTION_EXPORT_FOLDER: z.optional(z.string().check(z.refine(isFolder, 'expected a folder that exists'))),
};
type Values = z.output<z.ZodMiniObject<typeof fields>>;

const variables = z.object(fields).check(
  z.superRefine(
    (values: Values, context) => {
      if (!(values.DB_POOL_MIN > values.DB_POOL_MAX)) return;
      const message = 'is more than DB_POOL_MAX';
      context.issues.push({ code: 'custom', input: undefined, path: ['DB_POOL_MIN'], message });
    },
    // Also when single settings are wrong, so that one start shows everything.
    { when: () => true },
  ),
);

/** Throws SettingsFault. */
export function readIngestSettings(env: Record<string, unknown>) {
  const v = parseSettings('ingest', variables, env);
  return {
    logLevel: v.LOG_LEVEL,
    heartbeatMs: v.HEARTBEAT_SECONDS * 1_000,
    database: { url: v.DATABASE_URL, min: v.DB_POOL_MIN, max: v.DB_POOL_MAX },
    partitions: { monthsAhead: v.PARTITIONS_AHEAD_MONTHS },
    retention: { keptMonths: v.PARTITION_RETENTION_MONTHS, exportFolder: v.RETENTION_EXPORT_FOLDER },
  };
}

export type IngestSettings = ReturnType<typeof readIngestSettings>;
