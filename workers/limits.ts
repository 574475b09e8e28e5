// How much one person, one key and one address may ask of the staff API in a minute. When Redis is away everybody
// passes; guessing passwords has a limit of its own in the database.

import type { Caller } from '../shared/staff/caller.ts';
import { type CommonSettings, clientAddress, type RequestContext, refuse } from './app.ts';
import { RateLimit, rateLimitTimeoutMs } from './rate-limit.ts';
import { openRedis } from './redis.ts';

export interface LimitSettings {
  user: number;
  key: number;
  address: number;
  /** Per address, of what takes passwords and tokens. */
  signIn: number;
}

type Limited = CommonSettings & { limits: LimitSettings };

/** What an isolate takes of a limit at a time, so that Redis is asked once for so many requests. */
const portionsOfLimit = 20;
/** One for each limit of an isolate's settings. */
const kept = new WeakMap<LimitSettings, Record<keyof LimitSettings, RateLimit>>();

function limitsOf(settings: LimitSettings): Record<keyof LimitSettings, RateLimit> {
  const held = kept.get(settings);
  if (held) return held;
  const limit = (name: keyof LimitSettings) => new RateLimit(settings[name], portionsOfLimit);
  const made = { user: limit('user'), key: limit('key'), address: limit('address'), signIn: limit('signIn') };
  kept.set(settings, made);
  return made;
}

async function limited<S extends Limited>(
  c: RequestContext<S>,
  name: keyof LimitSettings,
  source: string,
): Promise<Response | undefined> {
  const { limits, redis } = c.get('settings');
  const wait = await limitsOf(limits)[name].secondsToWait(
    `${name}:${source}`,
    () => openRedis(redis, rateLimitTimeoutMs),
    Date.now(),
  );
  return wait === undefined ? undefined : refuse(c, 'rate_limited', { retryAfterSeconds: wait });
}

/** The refusal, where there is one. */
export const limitAddress = <S extends Limited>(c: RequestContext<S>): Promise<Response | undefined> =>
  limited(c, 'address', clientAddress(c));

export const limitSignIn = <S extends Limited>(c: RequestContext<S>): Promise<Response | undefined> =>
  limited(c, 'signIn', clientAddress(c));

export const limitCaller = <S extends Limited>(
  c: RequestContext<S>,
  caller: Caller,
): Promise<Response | undefined> => limited(c, caller.kind, caller.actor);
