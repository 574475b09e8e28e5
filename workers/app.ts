// What all three Workers share: settings read once, a request id, one log line and one count per request, one error
// handler. A Worker adds its routes and nothing of this.

import type { Context } from 'hono';
import { routePath } from 'hono/route';
import { Hono } from 'hono/tiny';
import { calendarDate } from '../shared/calendar-date.ts';
import { DatabaseFault } from '../shared/database.ts';
import { createLog, errorFields, type Log, type LogLevel } from '../shared/log.ts';
import { fineBuckets } from '../shared/metrics.ts';
import { SettingsFault } from '../shared/settings.ts';
import type { Caller } from '../shared/staff/caller.ts';
import { DirectoryAway } from '../shared/staff/directory-away.ts';
import { BusyFault } from '../shared/staff/password-hash.ts';
import { Afterwards } from './afterwards.ts';
import { type ProblemCode, type ProblemDetails, problem } from './problem.ts';
import { type EdgeRedisSettings, openRedis } from './redis.ts';

export interface CommonSettings {
  logLevel: LogLevel;
  redis: EdgeRedisSettings;
  metrics: boolean;
  /** Where it is there, what the statistics need is counted by the day of its zone as well. */
  business?: { timeZone: string };
}

export interface Scope<Settings> {
  Bindings: Record<string, unknown>;
  /** `caller` is there behind a caller check only, `channel` once a webhook's signature has been verified. */
  Variables: {
    settings: Settings;
    requestId: string;
    log: Log;
    afterwards: Afterwards;
    caller: Caller;
    channel: string;
  };
}
export type RequestContext<Settings> = Context<Scope<Settings>>;

/** The address Cloudflare saw; it overwrites whatever the client sent under this name. */
export const clientAddress = (c: Pick<Context, 'req'>): string =>
  c.req.header('cf-connecting-ip') ?? 'unknown';

/** Answers a problem under this request's id. */
export const refuse = (c: Context, code: ProblemCode, details?: ProblemDetails): Response =>
  problem(c.get('requestId'), code, details);

/** A schema's issues as the problem's `errors`. */
export const faultsOf = (error: { issues: ReadonlyArray<{ path: PropertyKey[]; message: string }> }) =>
  error.issues.map((i) => ({ field: i.path.join('.') || 'body', code: 'invalid', message: i.message }));

const flushTimeoutMs = 2_000;

export function createApp<Settings extends CommonSettings>(
  worker: string,
  readSettings: (env: Record<string, unknown>) => Settings,
): Hono<Scope<Settings>> {
  const app = new Hono<Scope<Settings>>();
  const afterwards = new Afterwards();
  let read: { from: object; settings: Settings } | undefined;

  app.use(async (c, next) => {
    const started = performance.now();
    const sent = c.req.header('x-request-id');
    const requestId = sent && /^[\w-]{8,64}$/.test(sent) ? sent : crypto.randomUUID();
    c.set('requestId', requestId);
    c.set('afterwards', afterwards);
    c.set('log', createLog('info', { worker, request_id: requestId }));
    if (read?.from !== c.env) read = { from: c.env, settings: readSettings(c.env) };
    const { settings } = read;
    c.set('settings', settings);
    c.set('log', createLog(settings.logLevel, { worker, request_id: requestId }));

    await next();

    c.header('x-request-id', requestId);
    const route = routePath(c, -1);
    const elapsedMs = performance.now() - started;
    c.get('log').info('request', {
      method: c.req.method,
      route,
      status: c.res.status,
      ms: Math.round(elapsedMs * 10) / 10,
    });
    const labels = { worker, route, status: c.res.status };
    afterwards.counts.add('recoup_http_requests_total', labels);
    afterwards.counts.observe('recoup_http_request_duration', { worker, route }, elapsedMs / 1000);
    const channel = c.get('channel');
    if (channel !== undefined) {
      afterwards.counts.observe('recoup_webhook_duration', { channel }, elapsedMs / 1000, fineBuckets);
    }
    const { business } = settings;
    afterwards.flushSoon(
      settings.metrics,
      () => openRedis(settings.redis, flushTimeoutMs),
      waitUntilOf(c),
      business && (() => calendarDate(new Date(), business.timeZone)),
    );
  });

  app.notFound((c) => {
    const others = otherMethods(app, c);
    if (others.length === 0) return refuse(c, 'not_found');
    const refusal = refuse(c, 'method_not_allowed');
    refusal.headers.set('allow', others.join(', '));
    return refusal;
  });
  app.onError((error, c) => {
    const log = c.get('log');
    if (error instanceof SettingsFault) {
      log.error('settings', { error: error.message });
      return refuse(c, 'unavailable', { detail: 'This service is not configured.', retryAfterSeconds: 60 });
    }
    if (error instanceof DatabaseFault && error.retryable) {
      log.error('database_away', errorFields(error));
      return refuse(c, 'unavailable', { detail: 'The database is away.', retryAfterSeconds: 5 });
    }
    if (error instanceof BusyFault) {
      log.warn('busy', errorFields(error));
      return refuse(c, 'unavailable', { detail: 'Too much to do at once.', retryAfterSeconds: 2 });
    }
    if (error instanceof DirectoryAway) {
      log.error('directory_away', errorFields(error));
      return refuse(c, 'directory_away', { retryAfterSeconds: 30 });
    }
    log.error('crash', errorFields(error));
    return refuse(c, 'internal_error');
  });
  return app;
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Those that the path is there for, whatever looks at all requests and the route that it was no good for left out. */
const otherMethods = <Settings>({ router }: Hono<Scope<Settings>>, c: Context): string[] =>
  methods.filter((method) =>
    router
      .match(method, c.req.path)[0]
      .some(([[, route]]) => route.method === method && route.path !== routePath(c, -1)),
  );

/** Keeps work alive after the answer; on runtimes without a request's lifetime the process itself does. */
export function waitUntilOf(c: Context): (work: Promise<unknown>) => void {
  try {
    const { executionCtx } = c;
    return (work) => executionCtx.waitUntil(work);
  } catch {
    return (work) => void work.catch(() => {});
  }
}
