// GET /health in seed 003's keys and words, further checks beside them. Every check has its own time limit, so that
// one part that hangs is one 'error' and not a health check that hangs.

import { errorFields } from '../../shared/log.ts';
import { judge, readSystemState } from '../../shared/read/health.ts';
import type { RequestContext } from '../app.ts';
import { openDatabase } from '../database.ts';
import { openRedis } from '../redis.ts';
import type { ApiSettings, Door } from './env.ts';

const databaseTimeoutMs = 2_000;
const redisTimeoutMs = 1_000;
const doorTimeoutMs = 2_000;

export async function health(c: RequestContext<ApiSettings>): Promise<Response> {
  const state = await stateOfHealth(c);
  return c.json(state, state.status === 'healthy' ? 200 : 503, { 'cache-control': 'no-store' });
}

export async function stateOfHealth(c: RequestContext<ApiSettings>) {
  const { database, redis, webhooks, auth } = c.get('settings');
  const quiet = (part: string) => (error: unknown) => {
    c.get('log').warn('check_failed', { part, ...errorFields(error) });
    return undefined;
  };
  const [state, pong, webhooksSays, authSays] = await Promise.all([
    readSystemState(openDatabase({ ...database, timeoutMs: databaseTimeoutMs })).catch(quiet('database')),
    openRedis(redis, redisTimeoutMs).ping().catch(quiet('redis')),
    whatItSays(webhooks).catch(quiet('webhooks')),
    whatItSays(auth).catch(quiet('auth')),
  ]);
  // Unless it says that it does not, it may have accepted payments that wait.
  const judged = judge(state, { accepting: webhooksSays?.outages !== 'refuse' });
  const checks = {
    database: state ? 'ok' : 'error',
    kafka: judged.log,
    redis: pong === 'PONG' ? 'ok' : 'error',
    /** Unknown while the database is away. */
    staging_backlog: state?.stagingBacklog ?? null,
    last_staging_run: state ? (state.lastStagingRun ?? 'never') : null,
    outbox: judged.outbox,
    outbox_oldest_seconds: state ? judged.oldestSeconds : null,
    audit: judged.audit,
    audit_unsealed_seconds: state?.unsealed.oldestSeconds ?? null,
    webhooks: webhooksSays ? 'ok' : 'error',
    auth: authSays ? 'ok' : 'error',
    accepted_store: judged.accepted.store,
    accepted_backlog: judged.accepted.backlog,
    accepted_buried: judged.accepted.buried,
    jobs: judged.jobs,
    /** Each job's last outcome, and the time since it last began. */
    job_runs: state
      ? Object.fromEntries(
          state.jobs.map(({ job, outcome, ageSeconds }) => [job, { outcome, age_seconds: ageSeconds }]),
        )
      : null,
    partitions: judged.partitions,
    partitions_ahead_months: state?.monthsAhead ?? null,
    partitions_default_rows: state?.defaultRows ?? null,
    events_waiting: judged.events.waiting,
    events_oldest_pending_seconds: judged.events.oldestPendingSeconds,
    events_per_second: judged.events.perSecond,
    /** By the stream, topic or table that they come from. */
    event_streams:
      judged.events.streams &&
      Object.fromEntries(
        judged.events.streams.map(({ stream, waiting, pending, oldestPendingSeconds }) => [
          stream,
          { waiting, pending, oldest_pending_seconds: oldestPendingSeconds },
        ]),
      ),
    dead_letters: judged.events.deadLetters,
    ...judged.containers,
  };
  const isWell = !Object.values(checks).includes('error');
  return { status: isWell ? ('healthy' as const) : ('unhealthy' as const), checks };
}

/** What another Worker says of itself when its settings and its way to the database are well. */
async function whatItSays(door: Door): Promise<{ outages?: 'accept' | 'refuse' } | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), doorTimeoutMs);
  });
  const asking = async () => {
    const answer = await door.fetch(new Request('http://recoup.internal/health'));
    if (answer.ok) return (await answer.json()) as { outages?: 'accept' | 'refuse' };
    await answer.body?.cancel();
    return undefined;
  };
  try {
    return await Promise.race([asking(), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
