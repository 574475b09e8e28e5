// People: who they are, whether they may come in, and which roles they have. Managing them never gives anybody more than
// the one who manages holds.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { addUser } from '../../shared/staff/add-user.ts';
import { type ChangeUserRefusal, changeUser } from '../../shared/staff/change-user.ts';
import { type GivePasswordRefusal, givePassword } from '../../shared/staff/give-password.ts';
import { hashPassword } from '../../shared/staff/password-hash.ts';
import { type PasswordFault, refusedPassword } from '../../shared/staff/password-policy.ts';
import { readUser, readUsers } from '../../shared/staff/read-users.ts';
import { worthOf } from '../../shared/staff/role.ts';
import { listRoles } from '../../shared/staff/shape-roles.ts';
import type { User, UserChange } from '../../shared/staff/user.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { askedDatabase } from '../caller.ts';
import { openDatabase } from '../database.ts';
import { changedMeanwhile, expectedVersion, ifMatch, showVersion } from '../versioned.ts';
import type { AuthSettings } from './env.ts';
import { page, pageOf, pageParameters } from './pages.ts';
import { route } from './route.ts';
import { instant, line, roleName, userName, worth } from './shapes.ts';

const tag = 'Users';
const status = z.enum(['active', 'deactivated'], 'expected active or deactivated');
const source = z.enum(['password', 'oidc', 'ldap'], 'expected password, oidc or ldap');
const email = z.nullable(line(320).check(z.email('expected an e-mail address')));
const team = z.nullable(line(100));
const roles = z
  .array(z.string().check(z.regex(roleName, 'expected the name of a role')))
  .check(z.maxLength(50, 'expected at most 50 roles'));
const password = z.string().check(z.maxLength(1_024, 'expected at most 1024 characters'));

const person = z.object({
  id: z.uuid(),
  username: z.string(),
  displayName: z.string(),
  email: z.nullable(z.string()),
  team: z.nullable(z.string()),
  status,
  source,
  externalId: z.nullable(z.string()),
  roles: z.array(z.string()),
  /** Those of `roles` that follow from groups there. */
  directoryRoles: z.array(z.string()),
  mustChangePassword: z.boolean(),
  version: z.int(),
  createdAt: instant,
  createdBy: z.string(),
  changedAt: instant,
});

const heldRole = z.object({
  name: z.string(),
  description: z.nullable(z.string()),
  source: z.enum(['assigned', 'directory']),
  permissions: worth,
});

const newPerson = z
  .strictObject({
    username: z.string().check(z.regex(userName, 'expected lower case letters, digits and . _ @ -')),
    displayName: line(200),
    email: z.optional(email),
    team: z.optional(team),
    roles: z.optional(roles),
    source: z.optional(source),
    /** Theirs at the provider, where one vouches for them. */
    externalId: z.optional(line(500)),
    /** The first one, which they have to change. */
    password: z.optional(password),
  })
  .check(
    z.refine((body) => (body.password !== undefined) === ((body.source ?? 'password') === 'password'), {
      error: 'expected with the source `password`, and with no other',
      path: ['password'],
    }),
    z.refine((body) => (body.externalId !== undefined) === ((body.source ?? 'password') !== 'password'), {
      error: 'expected with the sources `oidc` and `ldap`, and with no other',
      path: ['externalId'],
    }),
  );

const change = z.strictObject({
  displayName: z.optional(line(200)),
  email: z.optional(email),
  team: z.optional(team),
  roles: z.optional(roles),
});

const params = z.object({ id: z.uuid() });
const roleParams = z.object({ id: z.uuid(), role: z.string().check(z.regex(roleName)) });

const shown = ({ roles: held, createdAt, changedAt, ...user }: User) => ({
  ...user,
  roles: held.map(({ name }) => name),
  directoryRoles: held.filter(({ source: from }) => from === 'directory').map(({ name }) => name),
  createdAt: createdAt.toISOString(),
  changedAt: changedAt.toISOString(),
});

type C = RequestContext<AuthSettings>;

function answerUser(c: C, user: User, code: 200 | 201 = 200) {
  showVersion(c, user.version);
  return c.json(shown(user), code);
}

function refuseUser(
  c: C,
  refusal: ChangeUserRefusal | GivePasswordRefusal | { kind: 'username_taken' },
  wanted?: object,
): Response {
  switch (refusal.kind) {
    case 'unknown_user':
      return refuse(c, 'not_found');
    case 'changed_meanwhile':
      return changedMeanwhile(c, shown(refusal.present), wanted);
    case 'unknown_role': {
      const message = `expected roles that there are: ${refusal.roles.join(', ')}`;
      return refuse(c, 'invalid_request', { errors: [{ field: 'roles', code: 'unknown_role', message }] });
    }
    case 'beyond_own_rights':
      return refuse(c, 'beyond_own_rights', { members: { permissions: refusal.permissions } });
    case 'directory_role':
      return refuse(c, 'directory_role', { members: { role: refusal.role } });
    case 'username_taken':
      return refuse(c, 'name_taken');
    default:
      return refuse(c, refusal.kind);
  }
}

const faultMessages: Record<PasswordFault, (minimum: number) => string> = {
  too_short: (minimum) => `expected at least ${minimum} characters`,
  too_long: () => 'expected at most 128 characters',
  contains_username: () => 'expected a password without the user name',
  breached: () => 'expected a password that is on no list of stolen ones',
};

/** Undefined for a password that may be given. */
async function refusedFirst(c: C, text: string, username: string): Promise<Response | undefined> {
  const { database, passwordMinimum: minimum } = c.get('settings');
  const fault = await refusedPassword(openDatabase(database), text, { username, minimum });
  if (fault === undefined) return undefined;
  const message = faultMessages[fault](minimum);
  return refuse(c, 'invalid_request', { errors: [{ field: 'password', code: fault, message }] });
}

async function answerChange(c: C, id: string, changeOf: (user: User) => UserChange): Promise<Response> {
  const changed = await changeUser(askedDatabase(c), { caller: c.get('caller'), id, changeOf });
  return changed.ok ? answerUser(c, changed.value) : refuseUser(c, changed.refusal);
}

const changing = ['own_rights', 'beyond_own_rights'] as const;

export const userRoutes = new Hono<Scope<AuthSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'users:read',
        summary: 'People by user name',
        tag,
        query: z.object({
          ...pageParameters(userName),
          role: z.optional(z.string().check(z.regex(roleName, 'expected the name of a role'))),
          status: z.optional(status),
          team: z.optional(line(100)),
          /** Part of a name or an e-mail address. */
          q: z.optional(line(200)),
        }),
        answers: { 200: pageOf(person) },
      },
      async (c) => {
        const { limit, after, ...filter } = c.req.valid('query');
        const db = openDatabase(c.get('settings').database);
        const { users, next } = await readUsers(db, {
          ...{ caller: c.get('caller'), filter, limit },
          after: after?.[0],
        });
        return c.json(page(users.map(shown), next === undefined ? undefined : [next]));
      },
    ),
  )
  .post(
    ...route(
      '/',
      {
        permission: 'users:manage',
        summary: 'Makes somebody known, with a first password that they have to change',
        tag,
        body: newPerson,
        answers: { 201: person },
        problems: ['name_taken', 'beyond_own_rights'],
      },
      async (c) => {
        const body = c.req.valid('json');
        const caller = c.get('caller');
        if (body.password !== undefined) {
          const refusal = await refusedFirst(c, body.password, body.username);
          if (refusal) return refusal;
        }
        const { source: from = 'password', externalId = '' } = body;
        const added = await addUser(askedDatabase(c), {
          ...{ caller, username: body.username, displayName: body.displayName },
          ...{ email: body.email ?? null, team: body.team ?? null, roles: body.roles ?? [] },
          by:
            from === 'password'
              ? {
                  source: from,
                  hash: await hashPassword(c.get('settings').scrypt, body.password ?? ''),
                  mustChange: true,
                }
              : { source: from, externalId },
        });
        if (!added.ok) return refuseUser(c, added.refusal);
        c.header('location', `/api/v1/users/${added.value.id}`);
        return answerUser(c, added.value, 201);
      },
    ),
  )
  .get(
    ...route(
      '/:id',
      { permission: 'users:read', summary: 'One person', tag, params, answers: { 200: person } },
      async (c) => {
        const db = openDatabase(c.get('settings').database);
        const user = await readUser(db, c.get('caller'), c.req.param('id'));
        return user ? answerUser(c, user) : refuse(c, 'not_found');
      },
    ),
  )
  .patch(
    ...route(
      '/:id',
      {
        permission: 'users:manage',
        summary: 'Changes a person, from the version that If-Match names',
        tag,
        params,
        headers: ifMatch,
        body: change,
        answers: { 200: person },
        problems: ['version_required', 'changed_meanwhile', 'last_admin', 'directory_role', ...changing],
      },
      async (c) => {
        const version = expectedVersion(c);
        if (!version.ok) return version.refusal;
        const wanted = c.req.valid('json');
        const changed = await changeUser(askedDatabase(c), {
          ...{ caller: c.get('caller'), id: c.req.param('id'), version: version.value },
          changeOf: () => wanted,
        });
        return changed.ok ? answerUser(c, changed.value) : refuseUser(c, changed.refusal, wanted);
      },
    ),
  )
  .post(
    ...route(
      '/:id/deactivate',
      {
        permission: 'users:manage',
        summary: 'Lets a person in no more, and ends their sessions',
        tag,
        params,
        answers: { 200: person },
        problems: ['last_admin', ...changing],
      },
      (c) => answerChange(c, c.req.param('id'), () => ({ status: 'deactivated' })),
    ),
  )
  .post(
    ...route(
      '/:id/reactivate',
      {
        permission: 'users:manage',
        summary: 'Lets a person in again',
        tag,
        params,
        answers: { 200: person },
        problems: changing,
      },
      (c) => answerChange(c, c.req.param('id'), () => ({ status: 'active' })),
    ),
  )
  .post(
    ...route(
      '/:id/password',
      {
        permission: 'users:manage',
        summary: 'Gives a person a new first password, which they have to change, and ends their sessions',
        tag,
        params,
        body: z.strictObject({ password }),
        answers: { 200: person },
        problems: ['not_by_password', ...changing],
      },
      async (c) => {
        const id = c.req.param('id');
        const caller = c.get('caller');
        const { database, scrypt } = c.get('settings');
        const text = c.req.valid('json').password;
        const username = (await readUser(openDatabase(database), caller, id))?.username ?? '';
        const refusal = await refusedFirst(c, text, username);
        if (refusal) return refusal;
        const hash = await hashPassword(scrypt, text);
        const given = await givePassword(askedDatabase(c), { caller, id, hash });
        return given.ok ? answerUser(c, given.value) : refuseUser(c, given.refusal);
      },
    ),
  )
  .get(
    ...route(
      '/:id/roles',
      {
        permission: 'users:read',
        summary: "A person's roles, and what each is worth",
        tag,
        params,
        answers: { 200: pageOf(heldRole) },
      },
      async (c) => {
        const db = openDatabase(c.get('settings').database);
        const [user, all] = await Promise.all([
          readUser(db, c.get('caller'), c.req.param('id')),
          listRoles(db),
        ]);
        if (!user) return refuse(c, 'not_found');
        const held = user.roles.map(({ name, source: from }) => ({
          name,
          description: all.find((role) => role.name === name)?.description ?? null,
          source: from,
          permissions: Object.fromEntries(worthOf([name], all)),
        }));
        return c.json(page(held, undefined));
      },
    ),
  )
  .put(
    ...route(
      '/:id/roles/:role',
      {
        permission: 'users:manage',
        summary: 'Gives a person a role',
        tag,
        params: roleParams,
        answers: { 200: person },
        problems: ['invalid_request', ...changing],
      },
      (c) =>
        answerChange(c, c.req.param('id'), ({ roles: held }) => ({
          roles: [...new Set([...held.map(({ name }) => name), c.req.param('role')])],
        })),
    ),
  )
  .delete(
    ...route(
      '/:id/roles/:role',
      {
        permission: 'users:manage',
        summary: 'Takes a role from a person',
        tag,
        params: roleParams,
        answers: { 200: person },
        problems: ['invalid_request', 'last_admin', 'directory_role', ...changing],
      },
      (c) =>
        answerChange(c, c.req.param('id'), ({ roles: held }) => ({
          roles: held.map(({ name }) => name).filter((name) => name !== c.req.param('role')),
        })),
    ),
  );
