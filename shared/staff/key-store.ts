// The SQL of managing API keys.

import type { Database } from '../database.ts';
import type { Key } from './key.ts';
import type { Circle } from './reach.ts';

export interface KeyFilter {
  prefix?: string | undefined;
  status?: Key['status'] | undefined;
  createdBy?: string | undefined;
  /** Neither used nor made since. */
  unusedSince?: Date | undefined;
}

/** Where a page ended. */
export interface KeyPosition {
  at: string;
  prefix: string;
}

const status = `case when key.revoked_at is not null then 'revoked'
  when key.expires_at <= now() then 'expired' else 'live' end`;

/** Newest first. */
export const findKeys = (
  db: Database,
  circle: Circle,
  filter: KeyFilter,
  after: KeyPosition | undefined,
  limit: number,
): Promise<Array<Key & { sortedAt: string }>> =>
  db.query(
    `select key.prefix, key.name, key.scopes, ${status} as status, key.actor as "createdBy",
       key.created_at as "createdAt", key.expires_at as "expiresAt", key.last_used_at as "lastUsedAt",
       key.revoked_at as "revokedAt", key.revoked_by as "revokedBy",
       (select prefix from staff.api_keys where id = key.replaces) as replaces,
       (select prefix from staff.api_keys where replaces = key.id) as "replacedBy",
       to_char(key.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "sortedAt"
     from staff.api_keys key
     where ($1::text is null or key.prefix = $1) and ($2::text is null or ${status} = $2)
       and ($3::text is null or key.actor = $3)
       and ($4::timestamptz is null or coalesce(key.last_used_at, key.created_at) < $4)
       and ($5::timestamptz is null or (key.created_at, key.prefix) < ($5, $6))
       and ($7::boolean or key.actor = $8
         or key.actor in (select 'user:' || username from staff.users where team = $9))
     order by key.created_at desc, key.prefix desc limit $10`,
    [
      ...[filter.prefix ?? null, filter.status ?? null, filter.createdBy ?? null],
      ...[filter.unusedSince?.toISOString() ?? null, after?.at ?? null, after?.prefix ?? null],
      ...(circle === 'everybody' ? [true, null, null] : [false, circle.actor, circle.team]),
      limit,
    ],
  );

/** Saves a live key's successor and sets the key's end. False: it has ended or been replaced in the meantime. */
export async function saveSuccessor(
  db: Database,
  old: { prefix: string; endsAt: Date },
  key: { prefix: string; hash: string; expiresAt: Date | null; actor: string },
): Promise<boolean> {
  const rows = await db.query(
    `with old as (
       update staff.api_keys set expires_at = least(expires_at, $2::timestamptz)
       where prefix = $1 and revoked_at is null and (expires_at is null or expires_at > now())
         and not exists (select from staff.api_keys newer where newer.replaces = api_keys.id)
       returning id, name, scopes
     )
     insert into staff.api_keys (prefix, hash, name, scopes, expires_at, actor, replaces)
     select $3, decode($4, 'hex'), name, scopes, $5::timestamptz, $6, id from old
     on conflict (replaces) do nothing returning id`,
    [
      ...[old.prefix, old.endsAt.toISOString(), key.prefix, key.hash],
      ...[key.expiresAt?.toISOString() ?? null, key.actor],
    ],
  );
  return rows.length > 0;
}
