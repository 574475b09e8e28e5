// The webhooks Worker's settings; .env.example documents each.

import * as z from 'zod/mini';
import { channelBringing, readChannels } from '../../shared/payments/channel.ts';
import type { RecentPayment } from '../../shared/payments/payment.ts';
import {
  acceptedStream,
  currency,
  flag,
  parseSettings,
  postgresUrl,
  SettingsFault,
  text,
  timeZone,
  wholeNumber,
} from '../../shared/settings.ts';
import { binding, commonBindings, commonSettings, commonVariables, httpUrl, restToken } from '../settings.ts';

/** A Durable Object namespace, as far as it is used. */
export interface CommitObjects {
  idFromName(name: string): unknown;
  get(id: unknown): { fetch(url: string, init: RequestInit): Promise<Response> };
}

const variables = z.object({
  ...commonVariables,
  DATABASE_URL: postgresUrl('the database, as role recoup_webhooks'),
  BUSINESS_TIME_ZONE: timeZone(),
  DEFAULT_CURRENCY: currency(),
  CHANNELS: text('the channels, as JSON'),
  DEFAULT_CHANNEL: z.optional(z.string()),
  EVENTS_CHANNEL: z.optional(z.string()),
  WEBHOOK_TIMEOUT_MS: wholeNumber(5_000, 100, 60_000),
  WEBHOOK_RATE_LIMIT_PER_MINUTE: wholeNumber(60_000, 1, 100_000_000),
  ENABLE_MEMORY_CACHE: flag(true),
  MEMORY_CACHE_MAX_SIZE: wholeNumber(10_000, 1, 1_000_000),
  ENABLE_REDIS_CACHE: flag(true),
  REDIS_TTL_SECONDS: wholeNumber(86_400, 1, 31_536_000),
  GROUP_COMMIT_SHARDS: wholeNumber(1, 0, 1_000),
  ACCEPTED_REDIS_REST_URL: z.optional(httpUrl('where the Redis of accepted payments answers')),
  ACCEPTED_REDIS_REST_TOKEN: z.optional(restToken('its token')),
  ACCEPTED_STREAM: acceptedStream(),
  ACCEPTED_MAX_LENGTH: wholeNumber(1_000_000, 1, 1_000_000_000),
});
const bindings = {
  ...commonBindings,
  GROUP_COMMIT: binding<CommitObjects>('idFromName'),
  /** What the memory of recorded payments starts with, newest first. */
  RECENT_PAYMENTS: binding<readonly RecentPayment[]>('at'),
};

/** The names this Worker reads, beside its channels' secrets. */
export const webhooksVariables: readonly string[] = Object.keys(variables.shape);

export function readWebhooksSettings(env: Record<string, unknown>) {
  const values = parseSettings('webhooks', z.object({ ...variables.shape, ...bindings }), env);
  const { channels, faults } = readChannels(values.CHANNELS, env);
  const all = faults.map((fault) => `CHANNELS: ${fault}`);
  const { DEFAULT_CHANNEL: defaultChannel = 'standard', EVENTS_CHANNEL: eventsChannel = 'servicing' } =
    values;
  if (values.DEFAULT_CHANNEL && !channelBringing('payments', channels, defaultChannel))
    all.push('DEFAULT_CHANNEL: is none of CHANNELS that bring payments');
  if (values.EVENTS_CHANNEL && !channelBringing('events', channels, eventsChannel))
    all.push('EVENTS_CHANNEL: is none of CHANNELS that bring events');
  const { ACCEPTED_REDIS_REST_URL: acceptedUrl, ACCEPTED_REDIS_REST_TOKEN: acceptedToken } = values;
  if (acceptedUrl && !acceptedToken) all.push('ACCEPTED_REDIS_REST_TOKEN: is missing beside its URL');
  if (acceptedToken && !acceptedUrl) all.push('ACCEPTED_REDIS_REST_URL: is missing beside its token');
  if (all.length > 0) throw new SettingsFault('webhooks', all);
  return {
    ...commonSettings(values),
    database: {
      url: values.DATABASE_URL,
      fetchEndpoint: values.DATABASE_FETCH_ENDPOINT,
      bound: values.POSTGRES,
      timeoutMs: values.WEBHOOK_TIMEOUT_MS,
    },
    business: { timeZone: values.BUSINESS_TIME_ZONE, currency: values.DEFAULT_CURRENCY },
    channels,
    defaultChannel: { payments: defaultChannel, events: eventsChannel },
    bodyTimeoutMs: values.WEBHOOK_TIMEOUT_MS,
    rateLimitPerMinute: values.WEBHOOK_RATE_LIMIT_PER_MINUTE,
    memoryCacheSize: values.ENABLE_MEMORY_CACHE ? values.MEMORY_CACHE_MAX_SIZE : 0,
    groupCommitShards: values.GROUP_COMMIT_SHARDS,
    commitObjects: values.GROUP_COMMIT,
    recentPayments: values.RECENT_PAYMENTS ?? [],
    redisCacheTtlSeconds: values.ENABLE_REDIS_CACHE ? values.REDIS_TTL_SECONDS : 0,
    /** Where payments wait while the database is away; undefined: they are refused. */
    accepted:
      acceptedUrl && acceptedToken
        ? {
            redis: { url: acceptedUrl, token: acceptedToken },
            stream: values.ACCEPTED_STREAM,
            maxLength: values.ACCEPTED_MAX_LENGTH,
          }
        : undefined,
  };
}
export type WebhooksSettings = ReturnType<typeof readWebhooksSettings>;
