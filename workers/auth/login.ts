// How a browser signs in and out: what it gets is cookies that no script can read, and who it is.

import { Hono } from 'hono';
import { getCookie } from 'hono/cookie';
import * as z from 'zod/mini';
import { sha256 } from '../../shared/id.ts';
import { sessionById } from '../../shared/staff/find-session.ts';
import { signOut } from '../../shared/staff/sessions.ts';
import { signIn } from '../../shared/staff/sign-in.ts';
import { refuse, type Scope } from '../app.ts';
import { askedDatabase, forget, forgetSessions, isOwnOrigin, ownOrigin, sessionCookie } from '../caller.ts';
import { openDatabase } from '../database.ts';
import {
  attemptFrom,
  clearSessionCookie,
  credentialsShape,
  deviceToRemember,
  refuseSignIn,
  sessionOf,
  setCookies,
  signInTools,
} from './attempt.ts';
import type { AuthSettings } from './env.ts';
import { describePerson, personShape } from './me.ts';
import { endSessionUrl } from './oidc/provider.ts';
import { route } from './route.ts';

const tag = 'Sign-in';

export const loginRoutes = new Hono<Scope<AuthSettings>>()
  .post(
    ...route(
      '/login',
      {
        permission: 'open',
        summary: 'Signs a browser in; open, because nobody is anybody yet',
        description: 'Answers cookies and who it is, never a token. Only for pages of ours.',
        tag,
        takesSecrets: true,
        body: credentialsShape,
        answers: { 200: personShape },
        problems: ['cross_site', 'sign_in_failed', 'code_required', 'too_many_attempts', 'directory_away'],
      },
      async (c) => {
        // Another site could sign its visitors in as somebody else, and read what they do then.
        if (!isOwnOrigin(c)) return refuse(c, 'cross_site');
        const replaced = getCookie(c, sessionCookie);
        const device = deviceToRemember(c);
        const signedIn = await signIn(signInTools(c), c.req.valid('json'), {
          ...(await attemptFrom(c)),
          session: sessionOf(c, 'browser'),
          newDeviceHash: await sha256(device),
          replaced,
        });
        if (!signedIn.ok) return refuseSignIn(c, signedIn.refusal);
        const { sessionId, secret, ended } = signedIn.value;
        forget(replaced);
        forgetSessions(ended);
        const person = await sessionById(openDatabase(c.get('settings').database), sessionId);
        if (!person) return refuse(c, 'sign_in_failed');
        setCookies(c, secret, device);
        return c.json(describePerson(person));
      },
    ),
  )
  .post(
    ...route(
      '/logout',
      {
        permission: 'self',
        summary: 'Ends the session that asks',
        description:
          'A key has none; it is revoked instead. Who signed in at a provider is told where to sign out there as well.',
        tag,
        answers: { 200: z.object({ endSessionUrl: z.url() }), 204: null },
      },
      async (c) => {
        const caller = c.get('caller');
        if (caller.kind !== 'user') return refuse(c, 'not_found');
        const { username, session, source } = caller;
        await signOut(askedDatabase(c), { username, sessionId: session.id });
        forgetSessions([session.id]);
        clearSessionCookie(c);
        const { oidc } = c.get('settings');
        const url = source === 'oidc' && oidc ? await endSessionUrl(oidc, `${ownOrigin(c)}/`) : undefined;
        return url === undefined ? c.body(null, 204) : c.json({ endSessionUrl: url });
      },
    ),
  );
