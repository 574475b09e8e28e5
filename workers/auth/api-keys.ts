// API keys: what programs call with. A token is shown once, to whoever made or rotated the key, who holds all that it is
// worth.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import type { Key } from '../../shared/staff/key.ts';
import {
  handOutKey,
  type RotateKeyRefusal,
  readKey,
  readKeys,
  revokeKey,
  rotateKey,
} from '../../shared/staff/manage-keys.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { askedDatabase } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { AuthSettings } from './env.ts';
import { page, pageOf, pageParameters } from './pages.ts';
import { route } from './route.ts';
import { givenInstant, instant, line, permissionName } from './shapes.ts';

const tag = 'API keys';
const prefixForm = /^[0-9a-z]{12}$/;
const hour = 60 * 60;
const graceHoursDefault = 24;
const graceHoursMaximum = 168;

const status = z.enum(['live', 'expired', 'revoked'], 'expected live, expired or revoked');
const keyShape = z.object({
  prefix: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  status,
  createdBy: z.string(),
  createdAt: instant,
  expiresAt: z.nullable(instant),
  lastUsedAt: z.nullable(instant),
  revokedAt: z.nullable(instant),
  revokedBy: z.nullable(z.string()),
  replaces: z.nullable(z.string()),
  replacedBy: z.nullable(z.string()),
});
/** `token` is in no other answer. */
const newKeyShape = z.object({ token: z.string(), ...keyShape.shape });

const scopes = z
  .array(permissionName)
  .check(z.minLength(1, 'expected at least one permission'), z.maxLength(100, 'expected at most 100'));
/** Null: never, where that is allowed. */
const expiresAt = z.nullable(givenInstant);
const newKey = z.strictObject({ name: line(100), scopes, expiresAt });
const rotation = z.strictObject({
  expiresAt: z.optional(expiresAt),
  /** How long the old one still works. */
  graceHours: z._default(
    z
      .number()
      .check(
        z.gte(0, `expected 0 to ${graceHoursMaximum}`),
        z.lte(graceHoursMaximum, `expected 0 to ${graceHoursMaximum}`),
      ),
    graceHoursDefault,
  ),
});
const params = z.object({ prefix: z.string().check(z.regex(prefixForm)) });

const iso = (at: Date | null) => at?.toISOString() ?? null;
const shown = (key: Key) => ({
  ...key,
  createdAt: key.createdAt.toISOString(),
  expiresAt: iso(key.expiresAt),
  lastUsedAt: iso(key.lastUsedAt),
  revokedAt: iso(key.revokedAt),
});

type C = RequestContext<AuthSettings>;

const limitsOf = (c: C) => ({ maxDays: c.get('settings').keyMaxDays });

function refuseKey(c: C, refusal: RotateKeyRefusal): Response {
  switch (refusal.kind) {
    case 'unknown_key':
      return refuse(c, 'not_found');
    case 'key_ended':
      return refuse(c, 'key_ended', { members: { state: refusal.status, replacedBy: refusal.replacedBy } });
    case 'beyond_own_rights':
      return refuse(c, 'beyond_own_rights', { members: { permissions: refusal.permissions } });
    case 'expiry_out_of_range': {
      const within = refusal.maxDays === 0 ? '' : `, at most ${refusal.maxDays} days from now`;
      const message = `expected an instant in the future${within}`;
      return refuse(c, 'invalid_request', {
        errors: [{ field: 'expiresAt', code: 'out_of_range', message }],
      });
    }
  }
}

/** The key as it is now, with its token. */
async function answerToken(c: C, { token, prefix }: { token: string; prefix: string }): Promise<Response> {
  const db = openDatabase(c.get('settings').database);
  const key = await readKey(db, c.get('caller'), prefix, 'keys:manage');
  if (!key) throw new Error('a key that has just been made is not there');
  c.header('location', `/api/v1/api-keys/${prefix}`);
  c.header('cache-control', 'no-store');
  return c.json({ token, ...shown(key) }, 201);
}

export const apiKeyRoutes = new Hono<Scope<AuthSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'keys:read',
        summary: 'API keys without their secrets, newest first',
        tag,
        query: z.object({
          ...pageParameters(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, prefixForm),
          status: z.optional(status),
          createdBy: z.optional(line(200)),
          /** Neither used nor made since. */
          unusedSince: z.optional(givenInstant),
        }),
        answers: { 200: pageOf(keyShape) },
      },
      async (c) => {
        const { limit, after, ...filter } = c.req.valid('query');
        const db = openDatabase(c.get('settings').database);
        const { keys, next } = await readKeys(db, {
          ...{ caller: c.get('caller'), filter, limit },
          after: after && { at: after[0] as string, prefix: after[1] as string },
        });
        return c.json(page(keys.map(shown), next && [next.at, next.prefix]));
      },
    ),
  )
  .post(
    ...route(
      '/',
      {
        permission: 'keys:manage',
        summary: 'Makes an API key; its token is in this answer alone',
        tag,
        body: newKey,
        answers: { 201: newKeyShape },
        problems: ['beyond_own_rights'],
      },
      async (c) => {
        const made = await handOutKey(askedDatabase(c), {
          ...{ caller: c.get('caller'), limits: limitsOf(c) },
          ...c.req.valid('json'),
        });
        return made.ok ? answerToken(c, made.value) : refuseKey(c, made.refusal);
      },
    ),
  )
  .get(
    ...route(
      '/:prefix',
      { permission: 'keys:read', summary: 'One API key', tag, params, answers: { 200: keyShape } },
      async (c) => {
        const db = openDatabase(c.get('settings').database);
        const key = await readKey(db, c.get('caller'), c.req.param('prefix'));
        return key ? c.json(shown(key)) : refuse(c, 'not_found');
      },
    ),
  )
  .post(
    ...route(
      '/:prefix/rotate',
      {
        permission: 'keys:manage',
        summary: 'Makes a key of the same name and scopes, and lets the old one end after a while',
        tag,
        params,
        body: rotation,
        answers: { 201: newKeyShape },
        problems: ['key_ended', 'beyond_own_rights'],
      },
      async (c) => {
        const { expiresAt: end, graceHours } = c.req.valid('json');
        const rotated = await rotateKey(askedDatabase(c), {
          ...{ caller: c.get('caller'), limits: limitsOf(c), prefix: c.req.param('prefix') },
          ...{ expiresAt: end, graceSeconds: graceHours * hour },
        });
        return rotated.ok ? answerToken(c, rotated.value) : refuseKey(c, rotated.refusal);
      },
    ),
  )
  .post(
    ...route(
      '/:prefix/revoke',
      {
        permission: 'keys:manage',
        summary: 'Ends a key for good, within five seconds',
        tag,
        params,
        answers: { 200: keyShape },
      },
      async (c) => {
        const caller = c.get('caller');
        const prefix = c.req.param('prefix');
        const db = askedDatabase(c);
        await revokeKey(db, { caller, prefix });
        // Whoever asks twice is told the same.
        const key = await readKey(db, caller, prefix, 'keys:manage');
        return key ? c.json(shown(key)) : refuse(c, 'not_found');
      },
    ),
  );
