// What an attempt to sign in is made of, out of a request: where it comes from, what it is tried with, what it opens.

import { getCookie, setCookie } from 'hono/cookie';
import * as z from 'zod/mini';
import { sha256 } from '../../shared/id.ts';
import type { SessionOf } from '../../shared/staff/attempt.ts';
import { sessionSecret } from '../../shared/staff/open-session.ts';
import { deviceKnownDays } from '../../shared/staff/remove-old-sessions.ts';
import type { From, SignInRefusal, SignInTools } from '../../shared/staff/sign-in.ts';
import { clientAddress, type RequestContext, refuse } from '../app.ts';
import { sessionCookie } from '../caller.ts';
import { openDatabase } from '../database.ts';
import { askDirectory } from './ask-directory.ts';
import type { AuthSettings } from './env.ts';
import { stepOfCode } from './totp-code.ts';

type Ctx = RequestContext<AuthSettings>;

/** Tells that somebody has signed in from this browser before: nobody else can make it wait. */
const deviceCookie = '__Host-recoup_device';
const devicePattern = /^[0-9A-Za-z_-]{43}$/;
const daySeconds = 86_400;
const deviceLimit = 200;

const isPlain = z.refine<string>((text) => !/[\p{Cc}\p{Cs}]/u.test(text), 'has control characters');
export const typedName = z.string().check(z.minLength(1), z.maxLength(320), isPlain);
export const typedPassword = z.string().check(z.minLength(1), z.maxLength(1_024));
export const typedCode = z.optional(z.string().check(z.maxLength(16)));

export const credentialsShape = z.object({
  username: typedName,
  password: typedPassword,
  code: typedCode,
});

export function signInTools(c: Ctx): SignInTools {
  const { database, scrypt, signInKeys, directory, groupRoles } = c.get('settings');
  return {
    ask: (actor) =>
      openDatabase(database, { actor, address: clientAddress(c), requestId: c.get('requestId') }),
    scrypt,
    keyedHash: signInKeys.hash,
    totpStep: async (secret, userId, code) =>
      stepOfCode(await signInKeys.decrypt(secret, userId), code, Date.now()),
    directory: directory && { ask: (credentials) => askDirectory(directory, credentials), groupRoles },
  };
}

const deviceOf = (c: Ctx): string | undefined => {
  const device = getCookie(c, deviceCookie);
  return device && devicePattern.test(device) ? device : undefined;
};

export async function attemptFrom(c: Ctx): Promise<From> {
  const device = deviceOf(c);
  return { address: clientAddress(c), deviceHash: device === undefined ? null : await sha256(device) };
}

/** The device's cookie, a new one where there is none. */
export const deviceToRemember = (c: Ctx): string => deviceOf(c) ?? sessionSecret();

export function sessionOf(c: Ctx, kind: SessionOf['kind']): SessionOf {
  const { sessions } = c.get('settings');
  return {
    kind,
    device: c.req.header('user-agent')?.slice(0, deviceLimit) || 'unknown',
    address: clientAddress(c),
    ...sessions[kind],
    most: sessions.most,
  };
}

const ours = { path: '/', secure: true, httpOnly: true, sameSite: 'Lax' } as const;

export function setCookies(c: Ctx, secret: string, device: string): void {
  setCookie(c, sessionCookie, secret, {
    ...ours,
    maxAge: c.get('settings').sessions.browser.lifetimeSeconds,
  });
  setCookie(c, deviceCookie, device, { ...ours, maxAge: deviceKnownDays * daySeconds });
}

export const clearSessionCookie = (c: Ctx): void => setCookie(c, sessionCookie, '', { ...ours, maxAge: 0 });

/** Of somebody who is not yet anybody. */
export function refuseSignIn(c: Ctx, refusal: SignInRefusal): Response {
  if (refusal.reason === 'wait') return refuseWait(c, refusal.seconds);
  return refuse(c, refusal.reason === 'failed' ? 'sign_in_failed' : 'code_required');
}

/** Of somebody in a session. */
export const refuseCredential = (c: Ctx, refusal: SignInRefusal): Response =>
  refusal.reason === 'wait' ? refuseWait(c, refusal.seconds) : refuse(c, 'credential_refused');

const refuseWait = (c: Ctx, seconds: number) =>
  refuse(c, 'too_many_attempts', { retryAfterSeconds: seconds });
