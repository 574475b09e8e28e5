// The settings of staging; .env.example documents each.

import * as z from 'zod/mini';
import { isTimeZone } from '../../shared/calendar-date.ts';
import { isCurrency } from '../../shared/payments/payment-fields.ts';
import { flag, parseSettings, wholeNumber } from '../../shared/settings.ts';

const fields = {
  BUSINESS_TIME_ZONE: z._default(z.string().check(z.refine(isTimeZone, 'expected an IANA time zone')), 'UTC'),
  DEFAULT_CURRENCY: z._default(z.string().check(z.refine(isCurrency, 'expected an ISO 4217 code')), 'EUR'),
  STAGING_ENABLED: flag(true),
  STAGING_INTERVAL_SECONDS: wholeNumber(30, 1, 86_400),
  STAGING_BATCH_SIZE: wholeNumber(1_000, 1, 10_000),
  STAGING_WORKERS: wholeNumber(2, 1, 32),
  STAGING_MAX_RETRIES: wholeNumber(3, 0, 100),
};
const variables = z.object(fields);

/** Throws SettingsFault. */
export function readStagingSettings(env: Record<string, unknown>) {
  const v = parseSettings('staging', variables, env);
  return {
    business: { timeZone: v.BUSINESS_TIME_ZONE, currency: v.DEFAULT_CURRENCY },
    enabled: v.STAGING_ENABLED,
    idleMs: v.STAGING_INTERVAL_SECONDS * 1_000,
    batchSize: v.STAGING_BATCH_SIZE,
    workers: v.STAGING_WORKERS,
    maxRetries: v.STAGING_MAX_RETRIES,
  };
}
