// How a browser signs in at a provider: it is sent there with a journey in its cookie, and comes back with a code that is
// traded for whom the provider vouches for. What it gets then is what a password gives: a new session, in cookies alone.

import { Hono } from 'hono';
import { getCookie } from 'hono/cookie';
import * as z from 'zod/mini';
import { sha256 } from '../../../shared/id.ts';
import { errorFields } from '../../../shared/log.ts';
import type { IdentityRefusal } from '../../../shared/staff/identity.ts';
import { noteUnvouched } from '../../../shared/staff/note-unvouched.ts';
import { signInFrom } from '../../../shared/staff/sign-in-from.ts';
import { type RequestContext, refuse, type Scope } from '../../app.ts';
import { forget, forgetSessions, ownOrigin, sessionCookie } from '../../caller.ts';
import { deviceToRemember, sessionOf, setCookies, signInTools } from '../attempt.ts';
import type { AuthSettings } from '../env.ts';
import { route } from '../route.ts';
import { keepJourney, takeJourney } from './journey.ts';
import { beginAt, completeAt } from './provider.ts';
import { refuseOnPage } from './refusal-page.ts';

const tag = 'Sign-in';
const callbackPath = '/api/v1/auth/oidc/callback';

/** No browser takes it for another site: neither `//` nor a backslash, and nothing that it would leave out. */
const returnTo = z._default(
  z
    .string()
    .check(
      z.maxLength(1_000),
      z.regex(/^\/([!-.0-[\]-~][!-[\]-~]*)?$/, 'expected a path of this site'),
      z.meta({ description: 'A path of this site to go on with' }),
    ),
  '/',
);
const answered = z.optional(z.string().check(z.maxLength(4_096)));

const reasons: Record<IdentityRefusal, string> = {
  no_role: 'None of your groups has access here. Ask an administrator.',
  deactivated: 'Your access here was ended. Ask an administrator.',
  name_taken: 'Somebody else has your user name here. Ask an administrator.',
  unusable_name: 'Your user name cannot be used here. Ask an administrator.',
};

type Ctx = RequestContext<AuthSettings>;

async function refuseAway(c: Ctx, error: unknown): Promise<Response> {
  c.get('log').error('provider_away', errorFields(error));
  return refuseOnPage(c, 'unavailable', { detail: 'The identity provider is away.', retryAfterSeconds: 10 });
}

export const oidcRoutes = new Hono<Scope<AuthSettings>>()
  .get(
    ...route(
      '/oidc/login',
      {
        permission: 'open',
        summary: 'Sends a browser to the identity provider; open, because nobody is anybody yet',
        description: 'Where there is one. Back from there it goes on with `returnTo`, a path of this site.',
        tag,
        query: z.object({ returnTo }),
        answers: { 302: null, 503: null },
        mediaType: 'text/html',
      },
      async (c) => {
        const { oidc } = c.get('settings');
        if (!oidc) return refuse(c, 'not_found');
        try {
          const { url, journey } = await beginAt(oidc, new URL(callbackPath, ownOrigin(c)).href);
          await keepJourney(c, oidc, { ...journey, returnTo: c.req.valid('query').returnTo });
          return c.redirect(url.href);
        } catch (error) {
          return refuseAway(c, error);
        }
      },
    ),
  )
  .get(
    ...route(
      '/oidc/callback',
      {
        permission: 'open',
        summary: 'Where the provider sends the browser back; open, because the code tells who it is',
        description:
          'Answers cookies, never a token. Only the browser that began, within ten minutes and once.',
        tag,
        takesSecrets: true,
        query: z.object({
          code: answered,
          state: answered,
          iss: answered,
          error: answered,
          error_description: answered,
        }),
        answers: { 302: null, 401: null, 403: null, 503: null },
        problems: ['sign_in_lost', 'provider_refused', 'not_admitted'],
        mediaType: 'text/html',
      },
      async (c) => {
        const { oidc, groupRoles } = c.get('settings');
        if (!oidc) return refuse(c, 'not_found');
        const journey = await takeJourney(c, oidc, c.req.valid('query').state);
        // Whoever planted it, it is nobody's sign-in; the trail is not theirs to fill.
        if (!journey) return refuseOnPage(c, 'sign_in_lost');
        const { ask } = signInTools(c);
        const db = ask('anonymous');
        const url = new URL(callbackPath, ownOrigin(c));
        url.search = new URL(c.req.url).search;
        const vouched = await completeAt(oidc, url, journey).catch(async (error) => {
          await noteUnvouched(db, 'provider_away');
          return refuseAway(c, error);
        });
        if (vouched instanceof Response) return vouched;
        if (!vouched.ok) {
          const { because, error } = vouched.refusal;
          c.get('log').warn('provider_refused', { because, ...errorFields(error) });
          await noteUnvouched(db, because);
          return refuseOnPage(c, 'provider_refused');
        }
        const replaced = getCookie(c, sessionCookie);
        const device = deviceToRemember(c);
        const signedIn = await signInFrom(db, vouched.value, {
          groupRoles,
          session: sessionOf(c, 'browser'),
          newDeviceHash: await sha256(device),
          replaced,
        });
        if (!signedIn.ok) {
          const reason = signedIn.refusal;
          return refuseOnPage(c, 'not_admitted', { detail: reasons[reason], members: { reason } });
        }
        forget(replaced);
        forgetSessions(signedIn.value.ended);
        setCookies(c, signedIn.value.secret, device);
        // Whole: of /.//host a browser would make another site.
        return c.redirect(new URL(journey.returnTo, ownOrigin(c)).href);
      },
    ),
  );
