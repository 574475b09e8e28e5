// The front door's settings; .env.example documents each. WEBHOOKS and AUTH are service bindings to the two others.

import { createRemoteJWKSet, customFetch } from 'jose';
import * as z from 'zod/mini';
import { readChannels } from '../../shared/payments/channel.ts';
import {
  currency,
  optionalWholeNumber,
  parseSettings,
  postgresUrl,
  SettingsFault,
  timeZone,
  wholeNumber,
} from '../../shared/settings.ts';
import { commonBindings, commonSettings, commonVariables, httpUrl, restToken } from '../settings.ts';
import { staffSettings, staffVariables } from '../staff-settings.ts';

const timeoutMs = 5_000;

/** What answers in place of another Worker: a service binding, or on other runtimes a fetch to its address. */
export interface Door {
  fetch(request: Request): Promise<Response>;
}
const door = (what: string) =>
  z.custom<Door>(
    (value) => typeof (value as Partial<Door> | undefined)?.fetch === 'function',
    `is missing: the service binding to the ${what} Worker`,
  );

const jwksUrl = new URL('http://auth/.well-known/jwks.json');
const jwksTimeoutMs = 2_000;

/** The auth Worker's keys, asked for once in a while and when a token names one that is not known yet. */
const tokenKeysOf = (auth: Door) =>
  createRemoteJWKSet(jwksUrl, {
    timeoutDuration: jwksTimeoutMs,
    [customFetch]: (url, options) => auth.fetch(new Request(url, options as RequestInit)),
  });

const variables = z.object({
  ...commonVariables,
  ...staffVariables,
  DATABASE_URL: postgresUrl('the database, as role recoup_api'),
  BUSINESS_TIME_ZONE: timeZone(),
  DEFAULT_CURRENCY: currency(),
  /** For bodies that staff send again. */
  CHANNELS: z._default(z.string(), '{}'),
  METRICS_ACCESS: z._default(z.enum(['key', 'open'], 'expected key or open'), 'key'),
  DATABASE_SPACE_LIMIT_MIB: optionalWholeNumber(1, 100_000_000),
  LEDGER_GATEWAY_URL: z.optional(httpUrl("the ledger's gateway")),
  LEDGER_GATEWAY_KEY: z.optional(restToken('a key of the gateway')),
  /** Longer than the gateway tries, so that it is the gateway that says what came of it. */
  LEDGER_GATEWAY_TIMEOUT_MS: wholeNumber(20_000, 100, 120_000),
  APPROVAL_HOURS: wholeNumber(72, 1, 8_760),
  WEBHOOKS: door('webhooks'),
  AUTH: door('auth'),
});

/** The names this Worker reads. */
export const apiVariables: readonly string[] = Object.keys(variables.shape);

export function readApiSettings(env: Record<string, unknown>) {
  const values = parseSettings('api', z.object({ ...variables.shape, ...commonBindings }), env);
  const { LEDGER_GATEWAY_URL: gatewayUrl, LEDGER_GATEWAY_KEY: gatewayKey } = values;
  if ((gatewayUrl === undefined) !== (gatewayKey === undefined))
    throw new SettingsFault('api', ['LEDGER_GATEWAY_URL: goes with LEDGER_GATEWAY_KEY, and neither without']);
  // Without secrets: nothing that is signed comes here.
  const { channels, faults } = readChannels(values.CHANNELS, {});
  if (faults.length > 0)
    throw new SettingsFault(
      'api',
      faults.map((fault) => `CHANNELS: ${fault}`),
    );
  return {
    ...commonSettings(values),
    ...staffSettings(values),
    database: {
      url: values.DATABASE_URL,
      fetchEndpoint: values.DATABASE_FETCH_ENDPOINT,
      bound: values.POSTGRES,
      timeoutMs,
    },
    timeZone: values.BUSINESS_TIME_ZONE,
    business: { timeZone: values.BUSINESS_TIME_ZONE, currency: values.DEFAULT_CURRENCY },
    channels,
    metricsOpen: values.METRICS_ACCESS === 'open',
    spaceLimitBytes:
      values.DATABASE_SPACE_LIMIT_MIB === undefined ? undefined : values.DATABASE_SPACE_LIMIT_MIB * 2 ** 20,
    /** Undefined: there is no ledger to be asked. */
    ledger:
      gatewayUrl === undefined
        ? undefined
        : { url: gatewayUrl, key: gatewayKey as string, timeoutMs: values.LEDGER_GATEWAY_TIMEOUT_MS },
    approvalHours: values.APPROVAL_HOURS,
    tokenKeys: tokenKeysOf(values.AUTH),
    webhooks: values.WEBHOOKS,
    auth: values.AUTH,
  };
}
export type ApiSettings = ReturnType<typeof readApiSettings>;
