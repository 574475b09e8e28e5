// The SQL of passwords and second factors.

import type { Database } from '../database.ts';

export async function isBreached(db: Database, sha1s: readonly string[]): Promise<boolean> {
  const rows = await db.query(
    `select from staff.breached_passwords
     where sha1 = any (array(select decode(h, 'hex') from unnest($1::text[]) h)) limit 1`,
    [[...sha1s]],
  );
  return rows.length > 0;
}

/** The sessions that it ended; undefined when the password is not the one behind `verified` any more. */
export async function savePassword(
  db: Database,
  change: {
    userId: string;
    verified: string;
    hash: string;
    keptSession: string | null;
    keptDevice: string | null;
  },
): Promise<string[] | undefined> {
  const [row] = await db.query<{ ended: string[] }>(
    `select ended from staff.change_password($1, $2, $3, $4, decode($5, 'hex'))`,
    [change.userId, change.verified, change.hash, change.keptSession, change.keptDevice],
  );
  return row?.ended;
}

/** A new secret, not yet confirmed. False when there is a confirmed one. */
export async function saveTotp(db: Database, userId: string, secret: string): Promise<boolean> {
  const rows = await db.query(
    `insert into staff.totp (user_id, secret) values ($1, $2)
     on conflict (user_id) do update set secret = excluded.secret, created_at = now(), last_step = 0
       where staff.totp.confirmed_at is null
     returning user_id`,
    [userId, secret],
  );
  return rows.length > 0;
}

/** The encrypted secret, and whether it is confirmed. */
export async function findTotp(
  db: Database,
  userId: string,
): Promise<{ secret: string; confirmed: boolean } | undefined> {
  const [row] = await db.query<{ secret: string; confirmed: boolean }>(
    'select secret, confirmed_at is not null as confirmed from staff.totp where user_id = $1',
    [userId],
  );
  return row;
}

/** False when it was confirmed or replaced meanwhile, or the code was used. */
export async function confirmTotp(
  db: Database,
  confirmed: { userId: string; secret: string; step: number },
): Promise<boolean> {
  const rows = await db.query(
    `with confirmed as (
       update staff.totp set confirmed_at = now(), last_step = $3
       where user_id = $1 and secret = $2 and confirmed_at is null and last_step < $3 returning user_id
     )
     select audit.add('totp.enrolled', 'user', u.username, null, null, null)
     from confirmed c join staff.users u on u.id = c.user_id`,
    [confirmed.userId, confirmed.secret, confirmed.step],
  );
  return rows.length > 0;
}

/**
 * Of this person, where `version` is given only if they are still of it. `step`: of the code that allows it; undefined
 * where somebody else may. False when there is none to remove, they have changed, or the code was used.
 */
export async function removeTotp(
  db: Database,
  { username, version }: { username: string; version?: number },
  step: number | undefined,
): Promise<boolean> {
  const rows = await db.query(
    `with removed as (
       delete from staff.totp t using staff.users u
       where u.id = t.user_id and u.username = $1 and ($3::int is null or u.version = $3)
         and t.confirmed_at is not null and ($2::bigint is null or t.last_step < $2::bigint)
       returning u.username
     )
     select audit.add('totp.removed', 'user', username, null, null, null) from removed`,
    [username, step ?? null, version ?? null],
  );
  return rows.length > 0;
}

/** Answers how many of them were new. */
export async function addBreached(db: Database, sha1s: readonly string[]): Promise<number> {
  const rows = await db.query<{ added: number }>(
    `with added as (
       insert into staff.breached_passwords select decode(h, 'hex') from unnest($1::text[]) h
       on conflict do nothing returning 1
     )
     select count(*)::int as added from added`,
    [[...sha1s]],
  );
  return rows[0]?.added ?? 0;
}

/** Bytes of a list that have been read before. */
export async function readOfList(db: Database, list: { name: string; sizeBytes: number }): Promise<number> {
  const [row] = await db.query<{ read_bytes: string }>(
    'select read_bytes from staff.breached_password_files where name = $1 and size_bytes = $2',
    [list.name, list.sizeBytes],
  );
  return Number(row?.read_bytes ?? 0);
}

export async function noteListRead(
  db: Database,
  list: { name: string; sizeBytes: number },
  readBytes: number,
): Promise<void> {
  await db.query(
    `insert into staff.breached_password_files (name, size_bytes, read_bytes) values ($1, $2, $3)
     on conflict (name, size_bytes) do update set read_bytes = excluded.read_bytes, changed_at = now()`,
    [list.name, list.sizeBytes, readBytes],
  );
}
