// Who the caller is, and what they may do.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import type { Person } from '../../shared/staff/caller.ts';
import { reaches } from '../../shared/staff/roles.ts';
import type { Scope } from '../app.ts';
import { route } from '../route.ts';
import type { AuthSettings } from './env.ts';

const permissionsShape = z.record(z.string(), z.enum(reaches));

export const personShape = z.object({
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

export const describePerson = (person: Person): z.output<typeof personShape> => ({
  kind: 'user',
  id: person.id,
  username: person.username,
  name: person.name,
  email: person.email,
  team: person.team,
  roles: [...person.roles],
  permissions: Object.fromEntries(person.grants),
  mustChangePassword: person.mustChangePassword,
  session: { id: person.session.id, kind: person.session.kind },
});

export const meRoutes = new Hono<Scope<AuthSettings>>().get(
  ...route(
    '/me',
    {
      permission: 'self',
      summary: 'Who the caller is, and what they may do',
      tag: 'Sign-in',
      answers: { 200: z.union([personShape, service]) },
    },
    (c) => {
      const caller = c.get('caller');
      if (caller.kind === 'key') {
        const { prefix, name, expiresAt, grants } = caller;
        return c.json({ kind: 'api_key', prefix, name, scopes: [...grants.keys()], expiresAt });
      }
      return c.json(describePerson(caller));
    },
  ),
);
