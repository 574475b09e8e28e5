// The edge's life: listens, warms its memory, answers until the signal, drains.

import { openPool } from '../database.ts';
import { runContainer } from '../run-container.ts';
import { type Apps, createApps } from './apps.ts';
import { clientAddress } from './client-address.ts';
import { readEdgeSettings } from './env.ts';
import { type Answer, listen } from './listen.ts';
import { createProbes } from './probes.ts';
import { untilStopped } from './streams.ts';
import { warm } from './warm.ts';
import type { WorkerName } from './worker-settings.ts';

const staffTimeoutMs = 5_000;
const lookMs = 1_000;

/** Throws SettingsFault. */
export function run(env: Record<string, string | undefined>, signal: AbortSignal) {
  const settings = readEdgeSettings(env);
  const { bindings, pool, ports, host } = settings;
  return runContainer('edge', settings, env, signal, async ({ db, log }) => {
    const open = (worker: WorkerName, min: number, max: number, timeoutMs: number) =>
      openPool({
        url: bindings[worker].DATABASE_URL as string,
        min,
        max,
        timeoutMs,
        applicationName: `edge ${worker}`,
      });
    // Staff and keys ask seldom; payments are what connections are for.
    const staffMax = Math.ceil(pool.max / 5);
    const databases = {
      webhooks: open('webhooks', pool.min, pool.max, pool.timeoutMs),
      auth: open('auth', 0, staffMax, staffTimeoutMs),
      api: open('api', 0, staffMax, staffTimeoutMs),
    };

    let apps: Apps | undefined;
    const condition = () => (signal.aborted ? 'draining' : apps ? 'running' : 'starting');
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
      condition,
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
        return untilStopped(await apps[worker](request), signal);
      };
    const listeners = await Promise.all(
      (['api', 'webhooks', 'auth'] as const).map((worker) => listen(host, ports[worker], answering(worker))),
    );
    const warming = warm(db, settings.memoryCacheSize, signal, log).then((recentPayments) => {
      if (signal.aborted) return;
      apps = createApps({ bindings, databases, recentPayments });
      log.info('edge_ready', { remembered: recentPayments.length });
    });

    return {
      about: ports,
      parts: {
        edge: {
          // Its work is to answer; the loop is there for the heartbeat.
          step: async () => 0,
          idleMs: lookMs,
          // Of its pools the one that payments wait for.
          heartbeat: () => ({
            healthy: apps !== undefined,
            detail: { condition: condition(), ...databases.webhooks.stats() },
          }),
        },
      },
      async ended() {
        await warming;
        await Promise.all(listeners.map((listener) => listener.drain()));
        await apps?.settled();
      },
      close: () => Promise.all(Object.values(databases).map((database) => database.close())),
    };
  });
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
