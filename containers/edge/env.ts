// The settings of the edge on Node, the three Workers' among them; .env.example documents each.

import * as z from 'zod/mini';
import { isAddressBlock } from '../../shared/payments/address-block.ts';
import {
  logLevel,
  parseSettings,
  port,
  postgresUrl,
  SettingsFault,
  wholeNumber,
} from '../../shared/settings.ts';
import { readWebhooksSettings } from '../../workers/webhooks/env.ts';
import { readWithWorkerSettings } from './worker-settings.ts';

const blocks = z.pipe(
  z.pipe(
    z._default(z.string(), ''),
    z.transform((list) => list.split(',').flatMap((block) => block.trim() || [])),
  ),
  z.array(z.string().check(z.refine(isAddressBlock, 'expected addresses or blocks like 10.0.0.0/8'))),
);

const variables = z.object({
  WORKERS_HOST: z._default(z.string(), '127.0.0.1'),
  PORT: port(8787),
  WEBHOOKS_PORT: port(8788),
  AUTH_PORT: port(8789),
  EDGE_DATABASE_URL: postgresUrl('the database, as role recoup_edge'),
  DB_POOL_MIN: wholeNumber(10, 0, 1_000),
  DB_POOL_MAX: wholeNumber(50, 1, 1_000),
  TRUSTED_PROXIES: blocks,
  LOG_LEVEL: logLevel(),
  HEARTBEAT_SECONDS: wholeNumber(5, 1, 10),
});

/** Connections of its own role: for the memory at the start, and for heartbeats. */
const ownPool = { min: 0, max: 2 };

/** Throws SettingsFault. */
export function readEdgeSettings(env: Record<string, string | undefined>) {
  const { own, bindings } = readWithWorkerSettings('edge', env, () => {
    const values = parseSettings('edge', variables, env);
    if (values.DB_POOL_MIN <= values.DB_POOL_MAX) return values;
    throw new SettingsFault('edge', ['DB_POOL_MIN: is more than DB_POOL_MAX']);
  });
  const { memoryCacheSize, database } = readWebhooksSettings(bindings.webhooks);
  return {
    host: own.WORKERS_HOST,
    ports: { api: own.PORT, webhooks: own.WEBHOOKS_PORT, auth: own.AUTH_PORT },
    pool: { min: own.DB_POOL_MIN, max: own.DB_POOL_MAX, timeoutMs: database.timeoutMs },
    memoryCacheSize,
    database: { url: own.EDGE_DATABASE_URL, ...ownPool },
    heartbeatMs: own.HEARTBEAT_SECONDS * 1_000,
    /** Its probes are beside the front door. */
    probePort: undefined,
    trustedProxies: own.TRUSTED_PROXIES,
    logLevel: own.LOG_LEVEL,
    bindings,
  };
}
