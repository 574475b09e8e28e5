// The edge without Cloudflare: the three Workers' apps on Node or Deno, over connections to Postgres instead of HTTP.
// Answers probes at once and everything else when its memory is warm. SIGTERM: accepts nothing more, answers what it
// has accepted, exits 0. Settings that do not parse: says all of them, exits 1.

import { hostname } from 'node:os';
import process from 'node:process';
import { createLog } from '../../shared/log.ts';
import { retiredSettings } from '../../shared/retired-settings.ts';
import { SettingsFault } from '../../shared/settings.ts';
import { openPool } from '../database.ts';
import { within } from '../time-limit.ts';
import { type Apps, createApps } from './apps.ts';
import { clientAddress } from './client-address.ts';
import { type EdgeSettings, readEdgeSettings } from './env.ts';
import { type Answer, listen } from './listen.ts';
import { createProbes } from './probes.ts';
import { warm } from './warm.ts';
import type { WorkerName } from './worker-settings.ts';

const name = 'edge';
const staffTimeoutMs = 5_000;
const drainTimeoutMs = 20_000;
const closeTimeoutMs = 5_000;

async function serve(settings: EdgeSettings, signal: AbortSignal): Promise<{ drained: boolean }> {
  const log = createLog(settings.logLevel, { process: name, instance: `${hostname()}-${process.pid}` });
  for (const line of retiredSettings(process.env)) log.warn('retired_setting', { message: line });
  const { bindings, pool, ports, host } = settings;
  const open = (worker: WorkerName, min: number, max: number, timeoutMs: number) =>
    openPool({
      url: bindings[worker].DATABASE_URL as string,
      min,
      max,
      timeoutMs,
      applicationName: `${name} ${worker}`,
    });
  // Staff and keys ask seldom; payments are what connections are for.
  const staffMax = Math.ceil(pool.max / 5);
  const databases = {
    webhooks: open('webhooks', pool.min, pool.max, pool.timeoutMs),
    auth: open('auth', 0, staffMax, staffTimeoutMs),
    api: open('api', 0, staffMax, staffTimeoutMs),
  };

  let apps: Apps | undefined;
  const redis = {
    url: bindings.webhooks.UPSTASH_REDIS_REST_URL as string,
    token: bindings.webhooks.UPSTASH_REDIS_REST_TOKEN,
  };
  const probes = createProbes({
    database: () => databases.webhooks.query('select 1'),
    others: {
      redis: () => ping(redis.url, redis.token ?? ''),
      auth: () => databases.auth.query('select 1'),
      api: () => databases.api.query('select 1'),
    },
    condition: () => (signal.aborted ? 'draining' : apps ? 'running' : 'starting'),
  });
  const answering =
    (worker: WorkerName): Answer =>
    async (request, peer) => {
      const probed = worker === 'api' && (await probes(new URL(request.url).pathname));
      if (probed) return probed;
      if (!apps) return new Response('starting\n', { status: 503, headers: { 'retry-after': '1' } });
      const { headers } = request;
      headers.set(
        'cf-connecting-ip',
        clientAddress(peer, headers.get('x-forwarded-for'), settings.trustedProxies),
      );
      return apps[worker](request);
    };
  const listeners = await Promise.all(
    (['api', 'webhooks', 'auth'] as const).map((worker) => listen(host, ports[worker], answering(worker))),
  );
  log.info('edge_listening', ports);
  const recent = await warm(settings.warming, signal, log);
  if (!signal.aborted) {
    apps = createApps({ bindings, databases, recentPayments: recent });
    log.info('edge_ready', { remembered: recent.length });
  }

  await aborted(signal);
  const drain = async () => {
    await Promise.all(listeners.map((listener) => listener.drain()));
    await apps?.settled();
  };
  const drained = await within(drainTimeoutMs, drain()).then(
    () => true,
    () => false,
  );
  const close = Promise.all(Object.values(databases).map((database) => database.close()));
  await within(closeTimeoutMs, close).catch(() => {});
  log.info('edge_stopped', { drained });
  return { drained };
}

/** As Upstash answers it. */
async function ping(url: string, token: string): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    body: '["PING"]',
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(2_000),
  });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`Redis answered ${answer.status}`);
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

const stop = new AbortController();
for (const each of ['SIGTERM', 'SIGINT'] as const) process.once(each, () => stop.abort());

try {
  const { drained } = await serve(readEdgeSettings(process.env), stop.signal);
  process.exit(drained ? 0 : 1);
} catch (error) {
  console.error(error instanceof SettingsFault ? error.message : error);
  process.exit(1);
}
