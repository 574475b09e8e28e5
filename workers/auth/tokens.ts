// Tokens for programs: short-lived access tokens, and refresh tokens that are good once. Web pages get none: whatever a
// script can read, a foreign script can steal.

import { Hono, type MiddlewareHandler } from 'hono';
import * as z from 'zod/mini';
import { refreshSession } from '../../shared/staff/refresh-session.ts';
import { refuse, type Scope } from '../app.ts';
import { forgetSessions } from '../caller.ts';
import { signInTools } from './attempt.ts';
import type { AuthSettings } from './env.ts';
import { answerGrant, grantAnswers, grantLimits, grantShape } from './grants.ts';
import { issueTokens, tokenText, validate } from './issue-tokens.ts';
import { route } from './route.ts';

const tag = 'Tokens';

export const notForBrowsers: MiddlewareHandler = async (c, next) =>
  c.req.header('origin') === undefined ? next() : refuse(c, 'not_for_browsers');

export const tokenRoutes = new Hono<Scope<AuthSettings>>()
  .use('/token', notForBrowsers)
  .use('/token/*', notForBrowsers)
  .post(
    ...route(
      '/token',
      {
        permission: 'open',
        summary: 'Tokens by OAuth 2.0 grants (RFC 6749); open, because what it takes is what tells who asks',
        description:
          'Form-encoded, or JSON with the same names. A service is its key: its prefix is the client’s id, and the whole key its secret.',
        tag,
        takesSecrets: true,
        bodyShape: grantShape,
        bodyLimits: grantLimits,
        answers: grantAnswers,
        problems: ['not_for_browsers', 'directory_away'],
      },
      answerGrant,
    ),
  )
  .post(
    ...route(
      '/token/refresh',
      {
        permission: 'open',
        summary: 'The next tokens for a refresh token; open, because the token tells who asks',
        description: 'A token that was used before ends the session.',
        tag,
        takesSecrets: true,
        body: z.object({ refreshToken: tokenText }),
        answers: {
          200: z.object({
            accessToken: z.string(),
            tokenType: z.literal('Bearer'),
            expiresIn: z.int(),
            expiresAt: z.iso.datetime(),
            refreshToken: z.string(),
          }),
        },
        problems: ['not_for_browsers', 'token_refused'],
      },
      async (c) => {
        const { refreshToken } = c.req.valid('json');
        const refreshed = await refreshSession(signInTools(c).ask('anonymous'), refreshToken);
        if (!refreshed.ok) {
          if (refreshed.refusal.reason === 'reused') forgetSessions([refreshed.refusal.sessionId]);
          return refuse(c, 'token_refused');
        }
        const { username, sessionId } = refreshed.value;
        const issued = await issueTokens(c, username, sessionId);
        return c.json({ ...issued, tokenType: 'Bearer', refreshToken: refreshed.value.refreshToken });
      },
    ),
  )
  .post(
    ...route(
      '/token/validate',
      {
        permission: 'open',
        summary: 'Whether an access token is good now, and whose it is; open, because the token tells',
        tag,
        body: z.object({ token: tokenText }),
        answers: {
          200: z.union([
            z.object({
              valid: z.literal(true),
              kind: z.enum(['user', 'api_key']),
              /** A username, or a key's prefix. */
              subject: z.string(),
              sessionId: z.nullable(z.uuid()),
              permissions: z.array(z.string()),
              expiresAt: z.iso.datetime(),
            }),
            z.object({ valid: z.literal(false) }),
          ]),
        },
        problems: ['not_for_browsers'],
      },
      async (c) => {
        const found = await validate(c, c.req.valid('json').token);
        if (!found) return c.json({ valid: false } as const);
        const { caller, expiresAt } = found;
        return c.json({
          valid: true,
          kind: caller.kind === 'user' ? 'user' : 'api_key',
          subject: caller.kind === 'user' ? caller.username : caller.prefix,
          sessionId: caller.kind === 'user' ? caller.session.id : null,
          permissions: [...caller.grants.keys()],
          expiresAt: expiresAt.toISOString(),
        } as const);
      },
    ),
  );
