// What `npm start` may be told, from the environment and the file `.env`: where it listens, and servers to use
// instead of its own. Everything else in the environment goes to the processes that name it.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as z from 'zod/mini';
import { flag, parseSettings, port, postgresUrl, redisUrl } from '../../shared/settings.ts';

export const root = join(import.meta.dirname, '../..');
/** Data, logs and local secrets; RECOUP_FOLDER puts them elsewhere. */
export const stateFolder = (): string => resolve(root, process.env.RECOUP_FOLDER || '.recoup');

const variables = z.object({
  PORT: port(8787),
  WEBHOOKS_PORT: port(8788),
  AUTH_PORT: port(8789),
  DATABASE_URL: z.optional(postgresUrl('the database')),
  REDIS_URL: z.optional(redisUrl('Redis')),
  KAFKA_BROKERS: z.optional(z.string()),
  DEMO_DATA: flag(true),
  CHANNELS: z._default(
    z.string(),
    JSON.stringify({
      standard: { scheme: 'standard' },
      'demo-bank': {
        scheme: 'hmac',
        header: 'X-Signature',
        prefix: 'sha256=',
        timestampHeader: 'X-Timestamp',
      },
      servicing: { scheme: 'standard', events: true },
    }),
  ),
});

export function readStartSettings(env: NodeJS.ProcessEnv) {
  const values = parseSettings('recoup', variables, env);
  return {
    ports: { api: values.PORT, webhooks: values.WEBHOOKS_PORT, auth: values.AUTH_PORT },
    databaseUrl: values.DATABASE_URL,
    redisUrl: values.REDIS_URL,
    kafkaBrokers: values.KAFKA_BROKERS,
    channels: values.CHANNELS,
    demoData: values.DEMO_DATA,
  };
}
export type StartSettings = ReturnType<typeof readStartSettings>;

/** Laid over an environment, it makes a start use servers of its own whatever the environment or `.env` names. */
export const ownServers = { DATABASE_URL: '', REDIS_URL: '', KAFKA_BROKERS: '', CHANNELS: '' };

/** Adds `.env` to the environment where the environment itself says nothing. */
export function loadEnvFile(): void {
  const file = join(root, '.env');
  if (existsSync(file)) process.loadEnvFile(file);
}
