// Which ways in there are, for the page where people sign in.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import type { Scope } from '../app.ts';
import type { AuthSettings } from './env.ts';
import { loginPath } from './oidc/refusal-page.ts';
import { route } from './route.ts';

const ways = z.array(
  z.discriminatedUnion('way', [
    z.object({ way: z.literal('password') }),
    /** `startAt` is where a browser goes; `provider` whom it meets there. */
    z.object({ way: z.literal('oidc'), startAt: z.string(), provider: z.string() }),
  ]),
);

export const wayRoutes = new Hono<Scope<AuthSettings>>().get(
  ...route(
    '/ways',
    {
      permission: 'open',
      summary: 'The ways to sign in; open, because nobody is anybody yet',
      tag: 'Sign-in',
      answers: { 200: z.object({ ways }) },
    },
    (c) => {
      const { oidc } = c.get('settings');
      const password = { way: 'password' } as const;
      if (!oidc) return c.json({ ways: [password] });
      const provider = { way: 'oidc', startAt: loginPath, provider: oidc.issuer.host } as const;
      return c.json({ ways: [password, provider] });
    },
  ),
);
