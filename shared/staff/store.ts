// The staff slice's only SQL.

import { and, eq, isNull, or, sql } from 'drizzle-orm';
import { apiKeys } from '../../drizzle/schema/staff.ts';
import { type Database, tables } from '../database.ts';
import type { Person, Service } from './caller.ts';
import type { NewSession } from './new-session.ts';
import type { NewUser } from './new-user.ts';
import { isPermission, type Permission } from './permissions.ts';
import { type Grants, grantsOf, isBuiltInRole } from './roles.ts';

/** The live key: neither revoked nor expired. Scopes unknown to this version are dropped. */
export async function findApiKey(
  db: Database,
  by: { hash: string } | { prefix: string },
): Promise<Service | undefined> {
  const [row] = await tables(db)
    .select({
      prefix: apiKeys.prefix,
      name: apiKeys.name,
      scopes: apiKeys.scopes,
      expiresAt: apiKeys.expiresAt,
      lastUsedAt: apiKeys.lastUsedAt,
    })
    .from(apiKeys)
    .where(
      and(
        'hash' in by ? eq(apiKeys.hash, sql`decode(${by.hash}, 'hex')`) : eq(apiKeys.prefix, by.prefix),
        isNull(apiKeys.revokedAt),
        or(isNull(apiKeys.expiresAt), sql`${apiKeys.expiresAt} > now()`),
      ),
    );
  if (!row) return undefined;
  const { scopes, ...key } = row;
  const grants = new Map(scopes.filter(isPermission).map((scope) => [scope, 'all'] as const));
  return { kind: 'key', actor: `key:${key.prefix}`, grants, ...key };
}

export async function saveApiKey(
  db: Database,
  key: {
    prefix: string;
    hash: string;
    name: string;
    scopes: readonly Permission[];
    expiresAt: Date | null;
    actor: string;
  },
): Promise<void> {
  await db.query(
    `insert into staff.api_keys (prefix, hash, name, scopes, expires_at, actor)
     values ($1, decode($2, 'hex'), $3, $4::text[], $5::timestamptz, $6)`,
    [key.prefix, key.hash, key.name, [...key.scopes], key.expiresAt?.toISOString() ?? null, key.actor],
  );
}

/** False when no live key has this prefix. */
export async function saveRevocation(db: Database, prefix: string, actor: string): Promise<boolean> {
  const rows = await db.query(
    'update staff.api_keys set revoked_at = now(), revoked_by = $2 where prefix = $1 and revoked_at is null returning id',
    [prefix, actor],
  );
  return rows.length > 0;
}

/** The new user's id, when there are such roles and nobody has the name, or the provider's name for them. */
export async function saveUser(
  db: Database,
  user: NewUser,
): Promise<{ id: string } | 'username_taken' | 'unknown_role'> {
  const { by } = user;
  const roles = [...new Set(user.roles)];
  const keptHere = roles.filter((role) => !isBuiltInRole(role));
  const [row] = await db.query<{ id: string | null; held: number }>(
    `with held as (
       select name from staff.roles where name = any($11::text[]) for key share
     ), added as (
       insert into staff.users (username, display_name, email, team, source, external_id, created_by)
       select $1, $2, $3, $4, $5, $6, $7 where (select count(*) from held) = cardinality($11::text[])
       on conflict do nothing returning id, username
     ), known as (
       insert into staff.passwords (user_id, hash, must_change)
       select id, $8, $9 from added where $5 = 'password'
     ), granted as (
       insert into staff.user_roles (user_id, username, role)
       select id, username, role from added, unnest($10::text[]) role
     )
     select (select id from added) as id, (select count(*)::int from held) as held`,
    [
      ...[user.username, user.displayName, user.email, user.team],
      ...[by.source, by.source === 'password' ? null : by.externalId, user.actor],
      ...(by.source === 'password' ? [by.hash, by.mustChange] : [null, null]),
      ...[roles, keptHere],
    ],
  );
  const { id, held } = row as { id: string | null; held: number };
  if (id !== null) return { id };
  return held < keptHere.length ? 'unknown_role' : 'username_taken';
}

/** The new session's id. */
export async function saveSession(
  db: Database,
  session: NewSession & { hash: string | null },
): Promise<string> {
  const [row] = await db.query<{ id: string }>(
    `insert into staff.sessions (user_id, kind, secret_hash, method, device, address, idle_limit, expires_at)
     values ($1, $2, decode($3, 'hex'), $4, $5, $6, make_interval(secs => $7), now() + make_interval(secs => $8))
     returning id`,
    [
      ...[session.userId, session.kind, session.hash, session.method, session.device, session.address],
      ...[session.idleSeconds, session.lifetimeSeconds],
    ],
  );
  return (row as { id: string }).id;
}

interface SessionRow {
  session_id: string;
  user_id: string;
  username: string;
  display_name: string;
  email: string | null;
  team: string | null;
  source: Person['source'];
  kind: Person['session']['kind'];
  must_change: boolean;
  roles: string[];
  grants: Array<[string, string]>;
  last_used_at: Date;
}

/** By the SHA-256 (hex) of its secret or by its id. */
export async function findSession(
  db: Database,
  by: { hash: string } | { id: string },
): Promise<Person | undefined> {
  const [row] = await db.query<SessionRow>(`select * from staff.find_session(decode($1, 'hex'), $2::uuid)`, [
    'hash' in by ? by.hash : null,
    'id' in by ? by.id : null,
  ]);
  if (!row) return undefined;
  const { username, email, team, source, roles } = row;
  return {
    kind: 'user',
    actor: `user:${username}`,
    name: row.display_name,
    grants: grantsOf(roles, row.grants),
    id: row.user_id,
    ...{ username, email, team, source, roles },
    session: { id: row.session_id, kind: row.kind, lastUsedAt: row.last_used_at },
    mustChangePassword: row.must_change,
  };
}

export async function touchSession(db: Database, id: string): Promise<void> {
  await db.query('select staff.touch_session($1)', [id]);
}

export async function touchKey(db: Database, prefix: string): Promise<void> {
  await db.query('select staff.touch_key($1)', [prefix]);
}

/** Of live sessions and keys, as `session:<id>` and `key:<prefix>`. */
export async function findGrants(
  db: Database,
  { sessions, keys }: { sessions: readonly string[]; keys: readonly string[] },
): Promise<Map<string, Grants>> {
  const rows = await db.query<{ subject: string; roles: string[]; grants: Array<[string, string]> }>(
    `select 'session:' || s.session_id as subject, s.roles, s.grants
     from (select distinct unnest($1::uuid[])) as asked (id) cross join lateral staff.find_session(null, asked.id) s
     where not s.must_change
     union all
     select 'key:' || k.prefix, '{}', (select coalesce(jsonb_agg(jsonb_build_array(scope, 'all')), '[]') from unnest(k.scopes) scope)
     from staff.api_keys k
     where k.prefix = any ($2::text[]) and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())`,
    [sessions, keys],
  );
  return new Map(rows.map(({ subject, roles, grants }) => [subject, grantsOf(roles, grants)]));
}
