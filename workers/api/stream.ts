// What changes while somebody looks, as server-sent events: which payments, accounts and approvals changed, never what they
// say of anybody, and how the system is. Each message's id is the moment up to which everything has been told, so whoever
// comes back with it (Last-Event-ID) misses nothing and gets nothing twice.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { type ChangeKind, gather } from '../../shared/live/change.ts';
import { readChanges } from '../../shared/live/read-changes.ts';
import { parseSnapshot } from '../../shared/live/snapshot.ts';
import { errorFields } from '../../shared/log.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { stateOfHealth } from './health.ts';
import { route } from './route.ts';
import { type Health, Watch, type Watcher } from './watch.ts';

type C = RequestContext<ApiSettings>;

const stepMs = 500;
/** Proxies close what is silent for long, and workerd sees by it that a client has gone. */
const heartbeatMs = 5_000;
const secondsLimit = 120;
/** After this a client comes back. */
const retryMs = 2_000;

/** One for each isolate's settings. */
const watches = new WeakMap<ApiSettings, Watch>();
function watchOf(settings: ApiSettings): Watch {
  const watch = watches.get(settings) ?? new Watch();
  watches.set(settings, watch);
  return watch;
}

const message = (event: string, data: unknown, id?: string): string =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function* messages(c: C, watch: Watch, watcher: Watcher, endsAt: number): AsyncGenerator<string> {
  const db = openDatabase(c.get('settings').database);
  let told = parseSnapshot(c.req.header('last-event-id'));
  let toldHealth: Health | undefined;
  let spokeAt = Date.now();
  let isWaiting = false;
  // What a client says it was told has to be looked at by the database.
  let isKnown = false;

  /** The database is away: whoever watches waits, and misses nothing. */
  const waits = (error: unknown) => {
    if (!isWaiting) c.get('log').warn('stream_waits', errorFields(error));
    isWaiting = true;
  };

  async function news(kinds: ChangeKind[]): Promise<string[]> {
    if (told) {
      const { changes, upTo } = (isKnown && watch.feed.after(told)) || (await readChanges(db, told));
      isKnown = true;
      told = upTo;
      if (!changes) return [message('start', { kinds }, upTo.text)];
      const data = gather(changes, kinds);
      return data ? [message('changes', data, upTo.text)] : [];
    }
    if (!watch.feed.tip || !watch.isFresh(Date.now())) return [];
    told = watch.feed.tip;
    isKnown = true;
    return [message('start', { kinds }, told.text)];
  }

  yield `retry: ${retryMs}\n\n`;
  for (; !watcher.hasLeft && Date.now() < endsAt; await pause(stepMs)) {
    const said: string[] = [];
    try {
      watch.stay(watcher, Date.now());
      await watch.askWhoMay(db, Date.now());
      const { kinds } = watcher;
      if (!kinds) {
        yield message('end', {});
        return;
      }
      // Parts that hang do not hold up what is told of others.
      watch.examine(Date.now(), () => healthFor(c)).catch(waits);
      await watch.readNews(db, Date.now());
      if (watch.isTrusted(watcher, Date.now())) said.push(...(await news(kinds)));
      isWaiting = false;
    } catch (error) {
      waits(error);
    }
    if (watch.health && !isSame(watch.health, toldHealth)) {
      toldHealth = watch.health;
      said.push(message('health', toldHealth));
    }
    if (said.length === 0) {
      if (Date.now() - spokeAt < heartbeatMs) continue;
      said.push(told ? `:\nid: ${told.text}\n\n` : ':\n\n');
    }
    spokeAt = Date.now();
    yield said.join('');
  }
}

const isSame = (one: Health, other: Health | undefined) =>
  one.status === other?.status && one.failing.join() === other.failing.join();

async function healthFor(c: C): Promise<Health> {
  const { status, checks } = await stateOfHealth(c);
  const failing = Object.entries(checks).flatMap(([name, found]) => (found === 'error' ? [name] : []));
  return { status, failing };
}

export const streamSeconds = z.pipe(
  z._default(
    z.string().check(
      z.refine(
        (text) => /^\d{1,3}$/.test(text) && +text >= 1 && +text <= secondsLimit,
        `expected 1 to ${secondsLimit}`,
      ),
      z.meta({
        description: 'After so many it ends, and the client comes back',
        type: 'integer',
        minimum: 1,
        maximum: secondsLimit,
      }),
    ),
    String(secondsLimit),
  ),
  z.transform(Number),
);

export const streamRoutes = new Hono<Scope<ApiSettings>>().get(
  ...route(
    '/',
    {
      permission: 'settled',
      summary: 'What changes, as server-sent events: of the kinds that the caller may read',
      description:
        'Messages are `start` (read anew what you show), `changes` (names of payments, accounts and approvals that changed), `health` and `end` (the session is over). With `Last-Event-ID` it goes on where it was left.',
      tag: 'System',
      query: z.object({ seconds: streamSeconds }),
      headers: z.object({
        'last-event-id': z.optional(
          z.string().check(z.meta({ description: 'The id of the last message that came' })),
        ),
      }),
      answers: { 200: null },
      mediaType: 'text/event-stream',
    },
    (c) => {
      const now = Date.now();
      const watch = watchOf(c.get('settings'));
      const watcher = watch.enter(c.get('caller'), now);
      if (!watcher) return refuse(c, 'rate_limited', { retryAfterSeconds: 5 });
      const told = messages(c, watch, watcher, now + c.req.valid('query').seconds * 1_000);
      const encoder = new TextEncoder();
      const body = new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            const { value, done } = await told.next();
            if (!done) return controller.enqueue(encoder.encode(value));
            watch.leave(watcher);
            controller.close();
          },
          cancel: () => watch.leave(watcher),
        },
        { highWaterMark: 0 },
      );
      return c.body(body, 200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store, no-transform',
      });
    },
  ),
);
