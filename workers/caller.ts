// Who calls, and whether they may. A route declares one permission; a caller without it is told the same as about
// something that does not exist, before anything is looked up.

import type { MiddlewareHandler } from 'hono';
import { type ApiKey, bearerToken } from '../shared/staff/api-key.ts';
import { authenticateKey } from '../shared/staff/authenticate-key.ts';
import type { Permission } from '../shared/staff/permissions.ts';
import { type CommonSettings, refuse, type Scope } from './app.ts';
import { type EdgeDatabaseSettings, openDatabase } from './database.ts';

/** A revoked key works on for at most this long in an isolate that has just seen it. */
const knownForMs = 5_000;
const knownLimit = 1_000;

export type CallerSettings = CommonSettings & { database: EdgeDatabaseSettings };

/** Middleware that lets in callers with a live key, and further only those whose key carries the permission. */
export function createCallerCheck<Settings extends CallerSettings>() {
  const known = new Map<string, { caller: ApiKey; until: number }>();

  async function callerOf(settings: Settings, token: string | undefined): Promise<ApiKey | undefined> {
    const held = token === undefined ? undefined : known.get(token);
    if (held && held.until > Date.now() && !isExpired(held.caller)) return held.caller;
    const caller = await authenticateKey(openDatabase(settings.database), token);
    if (token !== undefined && caller) {
      known.delete(token);
      known.set(token, { caller, until: Date.now() + knownForMs });
      if (known.size > knownLimit) known.delete(known.keys().next().value as string);
    }
    return caller;
  }

  return (permission?: Permission): MiddlewareHandler<Scope<Settings>> =>
    async (c, next) => {
      const caller = await callerOf(c.get('settings'), bearerToken(c.req.header('authorization')));
      if (!caller) return refuse(c, 'unauthenticated');
      if (permission && !caller.scopes.includes(permission)) return refuse(c, 'not_found');
      c.set('caller', caller);
      await next();
    };
}

const isExpired = ({ expiresAt }: ApiKey) => expiresAt !== null && expiresAt.getTime() <= Date.now();

/** How a write names the caller. */
export const actorOf = (caller: ApiKey): string => `key:${caller.prefix}`;
