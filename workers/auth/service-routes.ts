// What the auth Worker tells other programs: the keys of its tokens, that it is well, and what it serves.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import type { Scope } from '../app.ts';
import { openDatabase } from '../database.ts';
import { pathsOf } from '../openapi.ts';
import type { Declared } from '../route.ts';
import type { AuthSettings } from './env.ts';
import { route } from './route.ts';

const tag = 'System';

const keySet = z.object({
  keys: z.array(
    z.object({
      kty: z.literal('EC'),
      crv: z.literal('P-256'),
      kid: z.string(),
      x: z.string(),
      y: z.string(),
      use: z.literal('sig'),
      alg: z.literal('ES256'),
    }),
  ),
});

/** `declared` answers every route of the Worker. */
export const serviceRoutes = (declared: () => Declared[]) =>
  new Hono<Scope<AuthSettings>>()
    .get(
      ...route(
        '/.well-known/jwks.json',
        {
          permission: 'open',
          summary: 'The public keys of access tokens; open to whoever checks one',
          tag,
          answers: { 200: keySet },
        },
        (c) => {
          c.header('cache-control', 'public, max-age=300');
          return c.json(c.get('settings').tokens.published);
        },
      ),
    )
    .get(
      ...route(
        '/health',
        {
          permission: 'open',
          summary: 'That this Worker is well; open to the front door',
          tag,
          answers: { 200: z.object({ status: z.literal('healthy') }) },
        },
        async (c) => {
          await openDatabase(c.get('settings').database).query('select 1');
          return c.json({ status: 'healthy' });
        },
      ),
    )
    .get(
      ...route(
        '/openapi.json',
        {
          permission: 'open',
          summary: 'Its part of the reference; open to the front door',
          tag,
          answers: { 200: z.record(z.string(), z.unknown()) },
        },
        (c) => c.json({ paths: pathsOf(declared()) }),
      ),
    );
