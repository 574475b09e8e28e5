// Who calls, and whether they may: a browser's cookie, an access token or an API key makes a caller, and a route's
// permission lets them in. Who lacks it is told the same as about something that does not exist, before anything is
// looked up. Headers that claim an identity are not read.

import { getCookie } from 'hono/cookie';
import type { JWTVerifyGetKey } from 'jose';
import type { Asker } from '../shared/audit/asker.ts';
import type { Database } from '../shared/database.ts';
import { bearerToken } from '../shared/staff/api-key.ts';
import { authenticateKey, keyByPrefix } from '../shared/staff/authenticate-key.ts';
import type { Caller } from '../shared/staff/caller.ts';
import { sessionById, sessionBySecret } from '../shared/staff/find-session.ts';
import type { Permission } from '../shared/staff/permissions.ts';
import { touch } from '../shared/staff/touch.ts';
import { type TokenSubject, verifyAccessToken } from './access-token.ts';
import { type CommonSettings, clientAddress, type RequestContext, refuse, waitUntilOf } from './app.ts';
import { type EdgeDatabaseSettings, openDatabase } from './database.ts';
import { type LimitSettings, limitAddress, limitCaller } from './limits.ts';

/** What was revoked works on for at most this long in an isolate that has just seen it. */
const knownForMs = 5_000;
const knownLimit = 1_000;
const touchedEveryMs = 60_000;
const eventStream = 'text/event-stream';

export type CallerSettings = CommonSettings & {
  database: EdgeDatabaseSettings;
  /** What access tokens are verified with. */
  tokenKeys: JWTVerifyGetKey;
  /** Where browsers reach the front door, when that is not what requests say. */
  publicUrl: string | undefined;
  limits: LimitSettings;
  allowedOrigins: readonly string[];
};

/** The browser's session: opaque, out of scripts' reach, sent to this host alone. */
export const sessionCookie = '__Host-recoup_session';
const secretPattern = /^[0-9A-Za-z_-]{43}$/;

type Ctx = RequestContext<CallerSettings>;

/** In this isolate, by credential. */
const known = new Map<string, { caller: Caller; until: number }>();

/** Forgets a credential that this isolate has just ended. @public */
export const forget = (credential: string | undefined): void => {
  if (credential !== undefined) known.delete(credential);
};

/** Forgets sessions that this isolate has just ended or changed, whatever they were known by. */
export function forgetSessions(ids: readonly string[]): void {
  for (const [credential, { caller }] of known) {
    if (caller.kind === 'user' && ids.includes(caller.session.id)) known.delete(credential);
  }
}

async function lookUp(db: Database, credential: string, isCookie: boolean, keys: JWTVerifyGetKey) {
  if (isCookie) return secretPattern.test(credential) ? sessionBySecret(db, credential) : undefined;
  if (credential.startsWith('rk_')) return authenticateKey(db, credential);
  const subject = await verifyAccessToken(credential, keys);
  return subject && callerOfToken(db, subject);
}

/** Whoever a token that has been verified stands for, with no more than the token is for. */
export async function callerOfToken(db: Database, subject: TokenSubject): Promise<Caller | undefined> {
  if ('session' in subject) return sessionById(db, subject.session);
  const service = await keyByPrefix(db, subject.keyPrefix);
  const { scopes } = subject;
  if (!service || !scopes) return service;
  return { ...service, grants: new Map([...service.grants].filter(([scope]) => scopes.includes(scope))) };
}

async function callerOf(c: Ctx, credential: string, isCookie: boolean): Promise<Caller | undefined> {
  const held = known.get(credential);
  if (held && held.until > Date.now() && !isExpired(held.caller)) return held.caller;
  known.delete(credential);
  const { database, tokenKeys } = c.get('settings');
  const db = openDatabase(database);
  const caller = await lookUp(db, credential, isCookie, tokenKeys);
  if (!caller) return undefined;
  // Who is held back until their password is their own is asked after every time: they go on at once.
  if (caller.kind === 'key' || !caller.mustChangePassword) {
    known.set(credential, { caller, until: Date.now() + knownForMs });
  }
  if (known.size > knownLimit) known.delete(known.keys().next().value as string);
  // A browser opens its stream again and again by itself, which must not keep its session from being idle.
  if (c.req.header('accept') === eventStream) return caller;
  const lastUsedAt = caller.kind === 'user' ? caller.session.lastUsedAt : caller.lastUsedAt;
  if (lastUsedAt === null || Date.now() - lastUsedAt.getTime() > touchedEveryMs) {
    waitUntilOf(c)(touch(db, caller));
  }
  return caller;
}

const isExpired = (caller: Caller) =>
  caller.kind === 'key' && caller.expiresAt !== null && caller.expiresAt.getTime() <= Date.now();

/** Where browsers reach the front door. */
export const ownOrigin = <Settings extends CallerSettings>(c: RequestContext<Settings>): string =>
  new URL(c.get('settings').publicUrl ?? c.req.url).origin;

/** Whether a browser sent this from a page of ours, or of an origin that is allowed to. */
export function isOwnOrigin<Settings extends CallerSettings>(c: RequestContext<Settings>): boolean {
  const origin = c.req.header('origin');
  if (origin === undefined) return c.req.header('sec-fetch-site') === 'same-origin';
  return origin === ownOrigin(c) || c.get('settings').allowedOrigins.includes(origin);
}

const isSafe = (method: string) => method === 'GET' || method === 'HEAD';

/** Puts the caller into the context, or answers why not. `self` and `settled` are whoever is somebody. */
export async function authorise(
  c: Ctx,
  permission: Permission | 'self' | 'settled',
): Promise<Response | undefined> {
  const tooMany = await limitAddress(c);
  if (tooMany) return tooMany;
  const header = c.req.header('authorization');
  const cookie = header === undefined ? getCookie(c, sessionCookie) : undefined;
  const credential = cookie ?? bearerToken(header);
  const caller = credential && (await callerOf(c, credential, cookie !== undefined));
  if (!caller) return refuse(c, 'unauthenticated');
  const tooBusy = await limitCaller(c, caller);
  if (tooBusy) return tooBusy;
  // Browsers attach a cookie to whatever any page makes them send.
  if (cookie !== undefined && !isSafe(c.req.method) && !isOwnOrigin(c)) return refuse(c, 'cross_site');
  if (permission !== 'self' && caller.kind === 'user' && caller.mustChangePassword) {
    return refuse(c, 'password_must_change');
  }
  if (permission !== 'self' && permission !== 'settled' && !caller.grants.has(permission)) {
    return refuse(c, 'not_found');
  }
  c.set('caller', caller);
  return undefined;
}

/** How a write names the caller. */
export const actorOf = (caller: Caller): string => caller.actor;

/** Who asks, for the audit trail. */
export function askerOf<Settings extends CallerSettings>(c: RequestContext<Settings>): Asker {
  const caller = c.get('caller');
  return {
    actor: caller.actor,
    address: clientAddress(c),
    requestId: c.get('requestId'),
    sessionId: caller.kind === 'user' ? caller.session.id : undefined,
  };
}

/** The database for what changes something: the audit trail learns who asked. */
export const askedDatabase = <Settings extends CallerSettings>(c: RequestContext<Settings>): Database =>
  openDatabase(c.get('settings').database, askerOf(c));
