// Who the caller is, and what they may do.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { reaches } from '../../shared/staff/roles.ts';
import type { Scope } from '../app.ts';
import { route } from '../route.ts';
import type { AuthSettings } from './env.ts';

const permissionsShape = z.record(z.string(), z.enum(reaches));

const person = z.object({
  kind: z.literal('user'),
  id: z.uuid(),
  username: z.string(),
  name: z.string(),
  email: z.nullable(z.string()),
  team: z.nullable(z.string()),
  roles: z.array(z.string()),
  /** Of each the reach. */
  permissions: permissionsShape,
  mustChangePassword: z.boolean(),
  session: z.object({ id: z.uuid(), kind: z.enum(['browser', 'client']) }),
});
const service = z.object({
  kind: z.literal('api_key'),
  prefix: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  expiresAt: z.nullable(z.string()),
});

export const meRoutes = new Hono<Scope<AuthSettings>>().get(
  ...route(
    '/me',
    {
      permission: 'self',
      summary: 'Who the caller is, and what they may do',
      tag: 'Sign-in',
      answers: { 200: z.union([person, service]) },
    },
    (c) => {
      const caller = c.get('caller');
      const permissions = Object.fromEntries(caller.grants);
      if (caller.kind === 'key') {
        const { prefix, name, expiresAt } = caller;
        return c.json({ kind: 'api_key', prefix, name, scopes: Object.keys(permissions), expiresAt });
      }
      const { id, username, name, email, team, roles, session, mustChangePassword } = caller;
      return c.json({
        kind: 'user',
        ...{ id, username, name, email, team, roles, permissions, mustChangePassword },
        session: { id: session.id, kind: session.kind },
      });
    },
  ),
);
