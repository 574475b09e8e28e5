// What stands around the processes that chaos kills: the doors, a gate between the edge and Postgres, and each process'
// settings, on servers that the caller brings.

import { randomBytes } from 'node:crypto';
import { openTcpGate } from '../../dev/doors/tcp-gate.ts';
import { openUpstashDoor } from '../../dev/doors/upstash.ts';
import { freePort } from '../../dev/servers/port.ts';
import type { Role } from '../../drizzle/migrate.ts';
import type { Database } from '../../shared/database.ts';
import { newSignInKey } from '../../workers/auth/sign-in-keys.ts';
import { newTokenKeys } from '../../workers/auth/token-keys.ts';
import type { Arena } from './round.ts';

export interface Servers {
  /** The owner's. */
  db: Database;
  urlFor: (role: Role) => string;
  /** The log and the accepted payments; it must not lose what it has confirmed. */
  redisUrl: string;
}

export async function openArena({ db, urlFor, redisUrl }: Servers): Promise<Arena & AsyncDisposable> {
  await using opening = new AsyncDisposableStack();
  const token = randomBytes(16).toString('hex');
  const door = await openUpstashDoor({ port: 0, redisUrl, token });
  opening.defer(() => door.close());
  const { hostname, port } = new URL(urlFor('recoup_webhooks'));
  const gate = await openTcpGate({ host: hostname, port: Number(port) });
  opening.defer(() => gate.goAway());
  const gated = (role: Role) => Object.assign(new URL(urlFor(role)), { port: gate.port }).href;
  const ports = { PORT: await freePort(), WEBHOOKS_PORT: await freePort(), AUTH_PORT: await freePort() };
  const secret = randomBytes(32).toString('base64');
  const rest = { UPSTASH_REDIS_REST_URL: door.url, UPSTASH_REDIS_REST_TOKEN: token };

  const open = opening.move();
  return {
    db,
    redisUrl,
    secret,
    gate,
    webhookUrl: `http://127.0.0.1:${ports.WEBHOOKS_PORT}/api/v1/payments/webhook/standard`,
    env: {
      edge: {
        ...rest,
        ...Object.fromEntries(Object.entries(ports).map(([name, value]) => [name, String(value)])),
        ACCEPTED_REDIS_REST_URL: rest.UPSTASH_REDIS_REST_URL,
        ACCEPTED_REDIS_REST_TOKEN: token,
        WEBHOOKS_DATABASE_URL: gated('recoup_webhooks'),
        AUTH_DATABASE_URL: gated('recoup_auth'),
        API_DATABASE_URL: gated('recoup_api'),
        EDGE_DATABASE_URL: gated('recoup_edge'),
        DB_POOL_MIN: '1',
        DB_POOL_MAX: '8',
        TOKEN_KEYS: await newTokenKeys(),
        SIGN_IN_KEYS: newSignInKey('chaos'),
        CHANNELS: '{"standard":{"scheme":"standard"}}',
        CHANNEL_STANDARD_SECRET: `whsec_${secret}`,
      },
      ingest: {
        DATABASE_URL: urlFor('recoup_ingest'),
        STAGING_BATCH_SIZE: '20',
        STAGING_INTERVAL_SECONDS: '1',
      },
      publisher: { DATABASE_URL: urlFor('recoup_publisher'), REDIS_URL: redisUrl, KAFKA_BATCH_SIZE: '20' },
      drain: {
        DATABASE_URL: urlFor('recoup_drain'),
        ACCEPTED_REDIS_URL: redisUrl,
        DRAIN_BATCH_SIZE: '10',
        DRAIN_CLAIM_AFTER_SECONDS: '1',
      },
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
