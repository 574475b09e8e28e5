// The staff slice's only SQL.

import { and, eq, isNull, or, sql } from 'drizzle-orm';
import { apiKeys } from '../../drizzle/schema/staff.ts';
import { type Database, tables } from '../database.ts';
import type { ApiKey } from './api-key.ts';
import { isPermission, type Permission } from './permissions.ts';

/** The live key with this hash: neither revoked nor expired. Scopes unknown to this version are dropped. */
export async function findApiKey(db: Database, hash: string): Promise<ApiKey | undefined> {
  const [row] = await tables(db)
    .select({
      id: apiKeys.id,
      prefix: apiKeys.prefix,
      name: apiKeys.name,
      scopes: apiKeys.scopes,
      expiresAt: apiKeys.expiresAt,
    })
    .from(apiKeys)
    .where(
      and(
        eq(apiKeys.hash, sql`decode(${hash}, 'hex')`),
        isNull(apiKeys.revokedAt),
        or(isNull(apiKeys.expiresAt), sql`${apiKeys.expiresAt} > now()`),
      ),
    );
  return row && { ...row, scopes: row.scopes.filter(isPermission) };
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
