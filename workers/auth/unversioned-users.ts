// Users and roles under the paths and in the shapes of the earlier collection system: bare objects and arrays, the next
// page in a Link header. The same verbs and permissions as under /api/v1.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { permissions } from '../../shared/staff/permissions.ts';
import { readUser, readUsers } from '../../shared/staff/read-users.ts';
import type { Role } from '../../shared/staff/role.ts';
import { listRoles } from '../../shared/staff/shape-roles.ts';
import type { User } from '../../shared/staff/user.ts';
import { refuse, type Scope } from '../app.ts';
import { openDatabase } from '../database.ts';
import type { AuthSettings } from './env.ts';
import { page, pageParameters } from './pages.ts';
import { route } from './route.ts';
import { instant, permissionName, reach, roleName, userName } from './shapes.ts';

const tag = 'Paths without version';
const statuses = { ACTIVE: 'active', INACTIVE: 'deactivated' } as const;
type Status = keyof typeof statuses;

const userShape = z.object({
  id: z.uuid(),
  username: z.string(),
  name: z.string(),
  email: z.nullable(z.string()),
  team: z.nullable(z.string()),
  roles: z.array(z.string()),
  status: z.enum(Object.keys(statuses) as [Status, ...Status[]]),
  createdAt: instant,
  updatedAt: instant,
});
const roleShape = z.object({ id: z.string(), name: z.string(), description: z.string() });
const permissionShape = z.object({
  id: permissionName,
  name: permissionName,
  description: z.string(),
  reach,
});

const shownUser = (user: User) => ({
  ...{ id: user.id, username: user.username, name: user.displayName, email: user.email, team: user.team },
  roles: user.roles.map(({ name }) => name),
  status: user.status === 'active' ? ('ACTIVE' as const) : ('INACTIVE' as const),
  ...{ createdAt: user.createdAt.toISOString(), updatedAt: user.changedAt.toISOString() },
});
const shownRole = ({ name, description }: Role) => ({ id: name, name, description });

const params = z.object({ id: z.uuid() });

export const unversionedUserRoutes = new Hono<Scope<AuthSettings>>()
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
          status: z.optional(
            z.pipe(
              z
                .string()
                .check(z.toUpperCase(), z.regex(/^(ACTIVE|INACTIVE)$/, 'expected ACTIVE or INACTIVE')),
              z.transform((text) => statuses[text as Status]),
            ),
          ),
        }),
        answers: { 200: z.array(userShape) },
      },
      async (c) => {
        const { limit, after, ...filter } = c.req.valid('query');
        const db = openDatabase(c.get('settings').database);
        const { users, next } = await readUsers(db, {
          ...{ caller: c.get('caller'), filter, limit },
          after: after?.[0],
        });
        const following = page(users.map(shownUser), next === undefined ? undefined : [next]);
        if (following.next !== null) {
          const url = new URL(c.req.url);
          url.searchParams.set('after', following.next);
          c.header('link', `<${url.pathname}${url.search}>; rel="next"`);
        }
        return c.json(following.data);
      },
    ),
  )
  .get(
    ...route(
      '/:id',
      { permission: 'users:read', summary: 'One person', tag, params, answers: { 200: userShape } },
      async (c) => {
        const db = openDatabase(c.get('settings').database);
        const user = await readUser(db, c.get('caller'), c.req.param('id'));
        return user ? c.json(shownUser(user)) : refuse(c, 'not_found');
      },
    ),
  )
  .get(
    ...route(
      '/:id/roles',
      {
        permission: 'users:read',
        summary: "A person's roles",
        tag,
        params,
        answers: { 200: z.array(roleShape) },
      },
      async (c) => {
        const db = openDatabase(c.get('settings').database);
        const [user, roles] = await Promise.all([
          readUser(db, c.get('caller'), c.req.param('id')),
          listRoles(db),
        ]);
        if (!user) return refuse(c, 'not_found');
        const held = roles.filter((role) => user.roles.some(({ name }) => name === role.name));
        return c.json(held.map(shownRole));
      },
    ),
  );

export const unversionedRoleRoutes = new Hono<Scope<AuthSettings>>()
  .get(
    ...route(
      '/',
      { permission: 'users:read', summary: 'All roles', tag, answers: { 200: z.array(roleShape) } },
      async (c) => c.json((await listRoles(openDatabase(c.get('settings').database))).map(shownRole)),
    ),
  )
  .get(
    ...route(
      '/:id/permissions',
      {
        permission: 'users:read',
        summary: 'What a role is worth',
        tag,
        params: z.object({ id: z.string().check(z.regex(roleName)) }),
        answers: { 200: z.array(permissionShape) },
      },
      async (c) => {
        const roles = await listRoles(openDatabase(c.get('settings').database));
        const role = roles.find(({ name }) => name === c.req.param('id'));
        if (!role) return refuse(c, 'not_found');
        const granted = [...role.grants].map(([name, held]) => ({
          ...{ id: name, name, description: permissions[name], reach: held },
        }));
        return c.json(granted);
      },
    ),
  );
