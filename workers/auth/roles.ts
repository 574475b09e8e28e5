// Roles and what they are worth, and the permissions they are made of. Those of the software are shown beside the others
// and cannot be changed.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { permissions } from '../../shared/staff/permissions.ts';
import { grantsFrom, type Role, type RoleRefusal } from '../../shared/staff/role.ts';
import { changeRole, createRole, listRoles, removeRole } from '../../shared/staff/shape-roles.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { askedDatabase } from '../caller.ts';
import { openDatabase } from '../database.ts';
import { changedMeanwhile, expectedVersion, ifMatch, showVersion } from '../versioned.ts';
import type { AuthSettings } from './env.ts';
import { page, pageOf } from './pages.ts';
import { route } from './route.ts';
import { instant, line, permissionName, reach, roleName, worth } from './shapes.ts';

const tag = 'Roles';

const roleShape = z.object({
  name: z.string(),
  description: z.string(),
  builtIn: z.boolean(),
  permissions: worth,
  /** Of those that can be changed. */
  version: z.nullable(z.int()),
  createdAt: z.nullable(instant),
  changedAt: z.nullable(instant),
});

const params = z.object({ name: z.string().check(z.regex(roleName)) });
const newRole = z.strictObject({
  name: z
    .string()
    .check(
      z.regex(roleName, 'expected a lower case letter, then at most 63 of lower case letters, digits and -'),
    ),
  description: line(500),
  permissions: worth,
});
const change = z.strictObject({ description: z.optional(line(500)), permissions: z.optional(worth) });

const shown = ({ grants, createdAt, changedAt, ...role }: Role) => ({
  ...role,
  permissions: Object.fromEntries(grants),
  createdAt: createdAt?.toISOString() ?? null,
  changedAt: changedAt?.toISOString() ?? null,
});

type C = RequestContext<AuthSettings>;
type Refusal =
  | RoleRefusal
  | { kind: 'role_exists' }
  | { kind: 'role_in_use'; holders: number }
  | { kind: 'changed_meanwhile'; present: Role };

function answerRole(c: C, role: Role, code: 200 | 201 = 200) {
  if (role.version !== null) showVersion(c, role.version);
  return c.json(shown(role), code);
}

function refuseRole(c: C, refusal: Refusal, wanted?: object): Response {
  switch (refusal.kind) {
    case 'unknown_role':
      return refuse(c, 'not_found');
    case 'role_exists':
      return refuse(c, 'name_taken');
    case 'beyond_own_rights':
      return refuse(c, 'beyond_own_rights', { members: { permissions: refusal.permissions } });
    case 'role_in_use':
      return refuse(c, 'role_in_use', { members: { holders: refusal.holders } });
    case 'changed_meanwhile': {
      const present = shown(refusal.present);
      return changedMeanwhile(c, { ...present, version: present.version ?? 0 }, wanted);
    }
    default:
      return refuse(c, refusal.kind);
  }
}

export const roleRoutes = new Hono<Scope<AuthSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'users:read',
        summary: 'All roles and what they are worth, those of the software first',
        tag,
        answers: { 200: pageOf(roleShape) },
      },
      async (c) => {
        const roles = await listRoles(openDatabase(c.get('settings').database));
        return c.json(page(roles.map(shown), undefined));
      },
    ),
  )
  .post(
    ...route(
      '/',
      {
        permission: 'roles:manage',
        summary: 'Makes a role out of permissions',
        tag,
        body: newRole,
        answers: { 201: roleShape },
        problems: ['name_taken', 'beyond_own_rights'],
      },
      async (c) => {
        const caller = c.get('caller');
        const { name, description, permissions: given } = c.req.valid('json');
        const made = await createRole(askedDatabase(c), {
          ...{ caller, name, description },
          grants: grantsFrom(given),
        });
        if (!made.ok) return refuseRole(c, made.refusal);
        c.header('location', `/api/v1/roles/${name}`);
        return answerRole(c, made.value, 201);
      },
    ),
  )
  .get(
    ...route(
      '/:name',
      { permission: 'users:read', summary: 'One role', tag, params, answers: { 200: roleShape } },
      async (c) => {
        const roles = await listRoles(openDatabase(c.get('settings').database));
        const role = roles.find(({ name }) => name === c.req.param('name'));
        return role ? answerRole(c, role) : refuse(c, 'not_found');
      },
    ),
  )
  .patch(
    ...route(
      '/:name',
      {
        permission: 'roles:manage',
        summary:
          'Changes a role, from the version that If-Match names; `permissions` are all that it is worth',
        tag,
        params,
        headers: ifMatch,
        body: change,
        answers: { 200: roleShape },
        problems: ['version_required', 'changed_meanwhile', 'built_in_role', 'beyond_own_rights'],
      },
      async (c) => {
        const caller = c.get('caller');
        const version = expectedVersion(c);
        if (!version.ok) return version.refusal;
        const wanted = c.req.valid('json');
        const changed = await changeRole(askedDatabase(c), {
          ...{ caller, name: c.req.param('name'), version: version.value },
          ...(wanted.description === undefined ? {} : { description: wanted.description }),
          ...(wanted.permissions === undefined ? {} : { grants: grantsFrom(wanted.permissions) }),
        });
        return changed.ok ? answerRole(c, changed.value) : refuseRole(c, changed.refusal, wanted);
      },
    ),
  )
  .delete(
    ...route(
      '/:name',
      {
        permission: 'roles:manage',
        summary: 'Removes a role that nobody has',
        tag,
        params,
        answers: { 204: null },
        problems: ['built_in_role', 'role_in_use', 'beyond_own_rights'],
      },
      async (c) => {
        const caller = c.get('caller');
        const removed = await removeRole(askedDatabase(c), { caller, name: c.req.param('name') });
        return removed.ok ? c.body(null, 204) : refuseRole(c, removed.refusal);
      },
    ),
  );

const permissionShape = z.object({
  name: permissionName,
  description: z.string(),
  /** How far the caller's own goes. */
  held: z.nullable(reach),
});

export const permissionRoutes = new Hono<Scope<AuthSettings>>().get(
  ...route(
    '/',
    {
      permission: 'self',
      summary: 'Every permission there is, and how far the caller has it',
      tag,
      answers: { 200: pageOf(permissionShape) },
    },
    (c) => {
      const { grants } = c.get('caller');
      const all = Object.entries(permissions).map(([name, description]) => ({
        ...{ name, description },
        held: grants.get(name as keyof typeof permissions) ?? null,
      }));
      return c.json(page(all, undefined));
    },
  ),
);
