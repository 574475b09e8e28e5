// The token endpoint of RFC 6749: three grants, its form, its refusals.

import * as z from 'zod/mini';
import { ok, type Result, refused } from '../../shared/result.ts';
import { authenticateKey } from '../../shared/staff/authenticate-key.ts';
import type { Service } from '../../shared/staff/caller.ts';
import { sessionById } from '../../shared/staff/find-session.ts';
import { noteServiceSignIn } from '../../shared/staff/note-service-sign-in.ts';
import { refreshSession } from '../../shared/staff/refresh-session.ts';
import { type SignInRefusal, signIn } from '../../shared/staff/sign-in.ts';
import { type RequestContext, refuse } from '../app.ts';
import { forgetSessions } from '../caller.ts';
import { openDatabase } from '../database.ts';
import { limitsInWords } from '../json-body.ts';
import { readBody } from '../read-body.ts';
import { attemptFrom, sessionOf, signInTools, typedCode, typedName, typedPassword } from './attempt.ts';
import type { AuthSettings } from './env.ts';
import { issueTokens, tokenText } from './issue-tokens.ts';
import { accessTokenSeconds } from './token-keys.ts';

type Ctx = RequestContext<AuthSettings>;

const limitBytes = 16 * 1024;
const timeoutMs = 5_000;
export const grantLimits = limitsInWords(limitBytes, timeoutMs);

const scope = z.optional(z.string().check(z.maxLength(2_000)));
const byPassword = z.object({
  grant_type: z.literal('password'),
  username: typedName,
  password: typedPassword,
  code: typedCode,
});
const byRefreshToken = z.object({ grant_type: z.literal('refresh_token'), refresh_token: tokenText });
const byKey = z.object({
  grant_type: z.literal('client_credentials'),
  client_id: z.optional(z.string()),
  client_secret: z.optional(z.string()),
  scope,
});
export const grantShape = z.discriminatedUnion('grant_type', [byPassword, byRefreshToken, byKey]);
const grantTypes = ['password', 'refresh_token', 'client_credentials'];

const faultShape = z.object({ error: z.string(), error_description: z.string() });
export const grantAnswers = {
  200: z.object({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.int(),
    refresh_token: z.optional(z.string()),
    scope: z.string(),
  }),
  400: faultShape,
  401: faultShape,
  429: faultShape,
};

type Fault =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_scope'
  | 'unsupported_grant_type';

const fault = (c: Ctx, error: Fault, description: string) => {
  c.header('pragma', 'no-cache');
  return c.json({ error, error_description: description }, error === 'invalid_client' ? 401 : 400);
};

export async function answerGrant(c: Ctx): Promise<Response> {
  const given = await readParameters(c);
  if (!given.ok) return given.refusal;
  const { grant_type: type } = given.value;
  if (type === undefined) return fault(c, 'invalid_request', 'grant_type is missing');
  if (!grantTypes.includes(type)) {
    return fault(c, 'unsupported_grant_type', `expected ${grantTypes.join(', ')}`);
  }
  const parsed = grantShape.safeParse(given.value);
  if (!parsed.success) {
    const fields = new Set(parsed.error.issues.map(({ path }) => path.join('.')));
    return fault(c, 'invalid_request', `missing or not valid: ${[...fields].join(', ')}`);
  }
  const grant = parsed.data;
  if (grant.grant_type === 'client_credentials') return grantToService(c, grant);
  if (given.value.scope !== undefined) {
    return fault(c, 'invalid_scope', 'what a person may do follows from their roles');
  }
  return grant.grant_type === 'password'
    ? grantByPassword(c, grant)
    : grantByRefreshToken(c, grant.refresh_token);
}

/** Every value a text, each name once. */
async function readParameters(c: Ctx): Promise<Result<Record<string, string | undefined>, Response>> {
  const type = c.req.header('content-type') ?? '';
  const isForm = /^application\/x-www-form-urlencoded\s*(;|$)/i.test(type);
  if (!isForm && !/^application\/json\s*(;|$)/i.test(type)) {
    return refused(refuse(c, 'unsupported_media_type'));
  }
  const body = await readBody(c.req.raw, limitBytes, timeoutMs);
  if (!body.ok) return refused(refuse(c, body.refusal));
  const text = new TextDecoder().decode(body.value);
  if (isForm) {
    const pairs = [...new URLSearchParams(text)];
    if (new Set(pairs.map(([name]) => name)).size < pairs.length) {
      return refused(fault(c, 'invalid_request', 'a parameter is there twice'));
    }
    // RFC 6749, 3.2: without a value is as if not there.
    return ok(Object.fromEntries(pairs.filter(([, value]) => value !== '')));
  }
  try {
    return ok(z.record(z.string(), z.string()).parse(JSON.parse(text)));
  } catch {
    return refused(fault(c, 'invalid_request', 'the body is no object of texts'));
  }
}

async function grantByPassword(c: Ctx, grant: z.output<typeof byPassword>): Promise<Response> {
  const signedIn = await signIn(
    signInTools(c),
    { username: grant.username, password: grant.password, code: grant.code },
    { ...(await attemptFrom(c)), session: sessionOf(c, 'client'), newDeviceHash: null, replaced: undefined },
  );
  if (!signedIn.ok) return refuseGrant(c, signedIn.refusal);
  const { username, sessionId, secret, ended } = signedIn.value;
  forgetSessions(ended);
  return answerPerson(c, username, sessionId, secret);
}

function refuseGrant(c: Ctx, refusal: SignInRefusal): Response {
  switch (refusal.reason) {
    case 'failed':
      return fault(c, 'invalid_grant', 'name, password or code is not right');
    case 'code_required':
      return fault(c, 'invalid_grant', 'the code of the second factor is required as well, as code');
    case 'wait':
      c.header('retry-after', String(refusal.seconds));
      return c.json({ error: 'invalid_grant', error_description: 'too many attempts to sign in' }, 429);
  }
}

async function grantByRefreshToken(c: Ctx, token: string): Promise<Response> {
  const refreshed = await refreshSession(signInTools(c).ask('anonymous'), token);
  if (!refreshed.ok) {
    if (refreshed.refusal.reason === 'reused') forgetSessions([refreshed.refusal.sessionId]);
    return fault(c, 'invalid_grant', 'the refresh token is not good any more');
  }
  const { username, sessionId, refreshToken } = refreshed.value;
  return answerPerson(c, username, sessionId, refreshToken);
}

async function answerPerson(c: Ctx, username: string, sessionId: string, refreshToken: string) {
  const [issued, person] = await Promise.all([
    issueTokens(c, username, sessionId),
    sessionById(openDatabase(c.get('settings').database), sessionId),
  ]);
  if (!person) return fault(c, 'invalid_grant', 'the session has ended');
  return answerTokens(c, {
    access_token: issued.accessToken,
    refresh_token: refreshToken,
    // Who has yet to set a password of their own may do nothing else.
    scope: person.mustChangePassword ? '' : [...person.grants.keys()].join(' '),
  });
}

function answerTokens(
  c: Ctx,
  tokens: { access_token: string; refresh_token?: string; scope: string },
): Response {
  c.header('pragma', 'no-cache');
  return c.json({ ...tokens, token_type: 'Bearer', expires_in: accessTokenSeconds });
}

async function grantToService(c: Ctx, grant: z.output<typeof byKey>): Promise<Response> {
  const client = basicClient(c.req.header('authorization')) ?? {
    id: grant.client_id,
    secret: grant.client_secret,
  };
  const { ask } = signInTools(c);
  const service = await authenticateKey(openDatabase(c.get('settings').database), client.secret);
  if (!service || service.prefix !== client.id) {
    await noteServiceSignIn(ask('anonymous'), 'failed', service);
    c.header('www-authenticate', 'Basic realm="recoup"');
    return fault(c, 'invalid_client', 'no live key has this prefix and this text');
  }
  const asked = grant.scope?.split(' ').filter(Boolean);
  if (asked?.some((name) => !isOf(service, name))) {
    return fault(c, 'invalid_scope', 'the key has not all of these permissions');
  }
  await noteServiceSignIn(ask(service.actor), 'succeeded', service);
  const narrowed = asked?.length ? asked.join(' ') : undefined;
  return answerTokens(c, {
    access_token: await c.get('settings').tokens.sign(service.prefix, { key: service.prefix }, narrowed),
    scope: narrowed ?? [...service.grants.keys()].join(' '),
  });
}

const isOf = ({ grants }: Service, name: string) => [...grants.keys()].some((scope) => scope === name);

/** RFC 6749, 2.3.1: both halves are form-encoded before they are put together. */
function basicClient(header: string | undefined): { id: string; secret: string } | undefined {
  const [, encoded] = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(header ?? '') ?? [];
  if (encoded === undefined) return undefined;
  try {
    const [id = '', secret = ''] = atob(encoded)
      .split(':', 2)
      .map((half) => decodeURIComponent(half.replaceAll('+', ' ')));
    return { id, secret };
  } catch {
    return { id: '', secret: '' };
  }
}
