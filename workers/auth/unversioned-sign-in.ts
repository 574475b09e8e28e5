// Sign-in as seed 004 has it: bare objects, and success or its error in the body. Programs use it, web pages cannot.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { sessionById } from '../../shared/staff/find-session.ts';
import { refreshSession } from '../../shared/staff/refresh-session.ts';
import { signOut } from '../../shared/staff/sessions.ts';
import { type SignInRefusal, signIn } from '../../shared/staff/sign-in.ts';
import type { Scope } from '../app.ts';
import { forgetSessions } from '../caller.ts';
import { openDatabase } from '../database.ts';
import { attemptFrom, credentialsShape, sessionOf, signInTools } from './attempt.ts';
import type { AuthSettings } from './env.ts';
import { issueTokens, tokenText, validate } from './issue-tokens.ts';
import { route } from './route.ts';
import { notForBrowsers } from './tokens.ts';

const tag = 'Paths without version';
const userShape = z.object({
  id: z.uuid(),
  username: z.string(),
  name: z.string(),
  email: z.nullable(z.string()),
  roles: z.array(z.string()),
});
const tokens = {
  success: z.literal(true),
  token: z.string(),
  refreshToken: z.string(),
  /** Of the token. */
  expiresAt: z.iso.datetime(),
};
const refusalShape = z.object({ success: z.literal(false), error: z.string() });
const refusal = (error: string) => ({ success: false, error }) as const;
const errors: Record<SignInRefusal['reason'], string> = {
  failed: 'Name, password or code is not right',
  code_required: 'The code of the second factor is required as well',
  wait: 'Too many attempts to sign in',
};

export const unversionedSignInRoutes = new Hono<Scope<AuthSettings>>()
  .use(notForBrowsers)
  .post(
    ...route(
      '/login',
      {
        permission: 'open',
        summary: 'Signs a program in; open, because nobody is anybody yet',
        tag,
        takesSecrets: true,
        body: credentialsShape,
        answers: { 200: z.object({ ...tokens, user: userShape }), 401: refusalShape, 429: refusalShape },
        problems: ['not_for_browsers', 'directory_away'],
      },
      async (c) => {
        const signedIn = await signIn(signInTools(c), c.req.valid('json'), {
          ...(await attemptFrom(c)),
          session: sessionOf(c, 'client'),
          newDeviceHash: null,
          replaced: undefined,
        });
        if (!signedIn.ok) {
          const { refusal: why } = signedIn;
          if (why.reason === 'wait') c.header('retry-after', String(why.seconds));
          return c.json(refusal(errors[why.reason]), why.reason === 'wait' ? 429 : 401);
        }
        const { username, sessionId, secret, ended } = signedIn.value;
        forgetSessions(ended);
        const person = await sessionById(openDatabase(c.get('settings').database), sessionId);
        if (!person) return c.json(refusal(errors.failed), 401);
        const { id, name, email, roles } = person;
        const { accessToken, expiresAt } = await issueTokens(c, username, sessionId);
        return c.json({
          success: true,
          user: { id, username, name, email, roles: [...roles] },
          token: accessToken,
          refreshToken: secret,
          expiresAt,
        });
      },
    ),
  )
  .post(
    ...route(
      '/logout',
      {
        permission: 'open',
        summary: 'Ends the session of an access token; open, because the token tells who asks',
        tag,
        takesSecrets: true,
        body: z.object({ token: tokenText }),
        answers: { 200: z.object({ success: z.boolean() }) },
        problems: ['not_for_browsers'],
      },
      async (c) => {
        const found = await validate(c, c.req.valid('json').token);
        if (found?.caller.kind !== 'user') return c.json({ success: false });
        const { username, actor, session } = found.caller;
        await signOut(signInTools(c).ask(actor), { username, sessionId: session.id });
        forgetSessions([session.id]);
        return c.json({ success: true });
      },
    ),
  )
  .post(
    ...route(
      '/token/refresh',
      {
        permission: 'open',
        summary: 'The next tokens for a refresh token; open, because the token tells who asks',
        tag,
        takesSecrets: true,
        body: z.object({ refreshToken: tokenText }),
        answers: { 200: z.object(tokens), 401: refusalShape },
        problems: ['not_for_browsers'],
      },
      async (c) => {
        const given = c.req.valid('json').refreshToken;
        const refreshed = await refreshSession(signInTools(c).ask('anonymous'), given);
        if (!refreshed.ok) {
          if (refreshed.refusal.reason === 'reused') forgetSessions([refreshed.refusal.sessionId]);
          return c.json(refusal('The refresh token is not good any more'), 401);
        }
        const { username, sessionId, refreshToken } = refreshed.value;
        const { accessToken, expiresAt } = await issueTokens(c, username, sessionId);
        return c.json({ success: true, token: accessToken, refreshToken, expiresAt });
      },
    ),
  )
  .post(
    ...route(
      '/token/validate',
      {
        permission: 'open',
        summary: 'Whether an access token is good now; open, because the token tells who asks',
        tag,
        body: z.object({ token: tokenText }),
        answers: {
          200: z.object({
            valid: z.boolean(),
            user: z.optional(userShape),
            expiresAt: z.optional(z.iso.datetime()),
          }),
        },
        problems: ['not_for_browsers'],
      },
      async (c) => {
        const found = await validate(c, c.req.valid('json').token);
        if (!found) return c.json({ valid: false });
        const { caller, expiresAt } = found;
        if (caller.kind !== 'user') return c.json({ valid: true, expiresAt: expiresAt.toISOString() });
        const { id, username, name, email, roles } = caller;
        const user = { id, username, name, email, roles: [...roles] };
        return c.json({ valid: true, user, expiresAt: expiresAt.toISOString() });
      },
    ),
  );
