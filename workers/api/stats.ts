// GET /api/v1/payments/stats in seed 003's shape: what was done since midnight in the business zone. A number is null
// where nothing was there to take it from, or while its part is away; then `unavailable` names the part.

import { calendarDate } from '../../shared/calendar-date.ts';
import { errorFields } from '../../shared/log.ts';
import type { Sample } from '../../shared/metrics.ts';
import { dayBegan, type Stats as Read, readStats } from '../../shared/read/stats.ts';
import type { RequestContext } from '../app.ts';
import { openDatabase } from '../database.ts';
import { dayCountsKey, openRedis, readCounts } from '../redis.ts';
import type { ApiSettings } from './env.ts';

const timeoutMs = 2_000;

export async function stats(c: RequestContext<ApiSettings>): Promise<Response> {
  const { database, redis, timeZone, metrics: counting } = c.get('settings');
  const now = new Date();
  const away = (part: string) => (error: unknown) => {
    c.get('log').warn('check_failed', { part, ...errorFields(error) });
    return undefined;
  };
  const [read, counts] = await Promise.all([
    readStats(openDatabase({ ...database, timeoutMs }), dayBegan(now, timeZone)).catch(away('database')),
    counting
      ? readCounts(openRedis(redis, timeoutMs), dayCountsKey(calendarDate(now, timeZone))).catch(
          away('redis'),
        )
      : undefined,
  ]);
  const unavailable = [read ? [] : ['staging'], counts ? [] : ['webhooks']].flat();
  return c.json(
    {
      staging: stagingStats(read),
      webhooks: webhookStats(counts),
      ...(unavailable.length > 0 ? { unavailable } : {}),
    },
    200,
    { 'cache-control': 'no-store' },
  );
}

const sum = (numbers: number[]) => numbers.reduce((total, one) => total + one, 0);

const stagingStats = (read: Read | undefined) => ({
  processed_today: read ? sum(Object.values(read.staging.rows)) : null,
  pending_count: read?.staging.pending ?? null,
  average_batch_time_ms: read?.staging.averageBatchMs ?? null,
});

/** Of the counts of one day. What is received is verified; what is neither new nor known is no part of the rate. */
export function webhookStats(counts: Sample[] | undefined) {
  const of = (metric: string, label = '') =>
    sum(
      (counts ?? []).flatMap(({ series, value }) =>
        series.startsWith(`${metric}{`) && series.includes(label) ? [value] : [],
      ),
    );
  const payments = (outcome: string) => of('recoup_webhook_payments_total', `outcome="${outcome}"`);
  const received = of('recoup_webhook_duration_seconds_count');
  const duplicates = payments('duplicate');
  const recorded = duplicates + payments('created') + payments('conflict');
  const milliseconds = of('recoup_webhook_duration_microseconds_sum') / 1_000;
  return {
    received_today: counts ? received : null,
    duplicate_rate: recorded > 0 ? rounded(duplicates / recorded, 4) : null,
    average_response_time_ms: received > 0 ? rounded(milliseconds / received, 1) : null,
  };
}

const rounded = (value: number, digits: number) => Number(value.toFixed(digits));
