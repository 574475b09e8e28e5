// The sessions of a person: their own, or with a permission those of others.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import type { ListedSession } from '../../shared/staff/attempt.ts';
import type { Caller } from '../../shared/staff/caller.ts';
import { endSession, endSessions, sessionsOf } from '../../shared/staff/sessions.ts';
import { asUsername } from '../../shared/staff/signed-in.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { askedDatabase, forgetSessions } from '../caller.ts';
import { openDatabase } from '../database.ts';
import { typedName } from './attempt.ts';
import type { AuthSettings } from './env.ts';
import { route } from './route.ts';

const tag = 'Sign-in';
const mostAtOnce = 200;

const sessionShape = z.object({
  id: z.uuid(),
  kind: z.enum(['browser', 'client']),
  method: z.enum(['password', 'oidc', 'ldap']),
  device: z.string(),
  address: z.nullable(z.string()),
  createdAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  /** The one that asks. */
  present: z.boolean(),
});

const user = z.optional(typedName);
const limit = z._default(
  z.pipe(
    z.pipe(
      z.string().check(z.regex(/^\d{1,3}$/), z.meta({ type: 'integer', minimum: 1, maximum: mostAtOnce })),
      z.transform(Number),
    ),
    z.int().check(z.minimum(1), z.maximum(mostAtOnce)),
  ),
  50,
);

/** Whose; undefined for a key that names nobody. */
const nameOf = (caller: Caller, named: string | undefined) =>
  named === undefined ? (caller.kind === 'user' ? caller.username : undefined) : asUsername(named);

/** Until their password is their own, people see and end nothing. */
const mustChange = (c: RequestContext<AuthSettings>) => {
  const caller = c.get('caller');
  return caller.kind === 'user' && caller.mustChangePassword;
};

const describe = (session: ListedSession, caller: Caller): z.output<typeof sessionShape> => ({
  ...session,
  createdAt: session.createdAt.toISOString(),
  lastUsedAt: session.lastUsedAt.toISOString(),
  expiresAt: session.expiresAt.toISOString(),
  present: caller.kind === 'user' && caller.session.id === session.id,
});

export const sessionRoutes = new Hono<Scope<AuthSettings>>()
  .get(
    ...route(
      '/sessions',
      {
        permission: 'self',
        summary: 'Live sessions, the newest first: the caller’s own',
        description: 'With `sessions:read` also those of the person named by `user`, as far as it reaches.',
        tag,
        query: z.object({ user, after: z.optional(z.uuid()), limit }),
        answers: { 200: z.object({ data: z.array(sessionShape), next: z.nullable(z.uuid()) }) },
        problems: ['password_must_change'],
      },
      async (c) => {
        if (mustChange(c)) return refuse(c, 'password_must_change');
        const caller = c.get('caller');
        const query = c.req.valid('query');
        const name = nameOf(caller, query.user);
        if (name === undefined) return refuse(c, 'not_found');
        const db = openDatabase(c.get('settings').database);
        const page = await sessionsOf(db, caller, name, { after: query.after, limit: query.limit });
        if (!page.ok) return refuse(c, 'not_found');
        const { sessions, next } = page.value;
        return c.json({ data: sessions.map((session) => describe(session, caller)), next });
      },
    ),
  )
  .delete(
    ...route(
      '/sessions/:id',
      {
        permission: 'self',
        summary: 'Ends a session: one of the caller’s own',
        description: 'With `sessions:end` also one of somebody else, as far as it reaches.',
        tag,
        params: z.object({ id: z.uuid() }),
        answers: { 204: null },
        problems: ['password_must_change'],
      },
      async (c) => {
        if (mustChange(c)) return refuse(c, 'password_must_change');
        const ended = await endSession(askedDatabase(c), c.get('caller'), c.req.param('id'));
        if (!ended.ok) return refuse(c, 'not_found');
        forgetSessions([ended.value]);
        return c.body(null, 204);
      },
    ),
  )
  .delete(
    ...route(
      '/sessions',
      {
        permission: 'self',
        summary: 'Ends every session of the caller but the one that asks',
        description: 'With `sessions:end` also all of the person named by `user`, as far as it reaches.',
        tag,
        query: z.object({ user }),
        answers: { 200: z.object({ ended: z.int() }) },
        problems: ['password_must_change'],
      },
      async (c) => {
        if (mustChange(c)) return refuse(c, 'password_must_change');
        const caller = c.get('caller');
        const name = nameOf(caller, c.req.valid('query').user);
        if (name === undefined) return refuse(c, 'not_found');
        const ended = await endSessions(askedDatabase(c), caller, name);
        if (!ended.ok) return refuse(c, 'not_found');
        forgetSessions(ended.value);
        return c.json({ ended: ended.value.length });
      },
    ),
  );
