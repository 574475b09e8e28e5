// The SQL of signing in, of refresh tokens and of sessions.

import type { Database } from '../database.ts';
import type { Attempted, AttemptKeys, ListedSession, SessionOf } from './attempt.ts';

const hex = (place: number) => `decode($${place}, 'hex')`;
const keysFrom = (place: number) => [0, 1, 2, 3].map((i) => hex(place + i)).join(', ');
const keyValues = (keys: AttemptKeys) => [keys.device, keys.nameAndAddress, keys.address, keys.name];

interface BeginRow {
  wait_seconds: number;
  user_id: string | null;
  username: string | null;
  source: Attempted['source'];
  status: string | null;
  hash: string | null;
  totp_secret: string | null;
  totp_last_step: string | null;
  known_device: boolean;
}

export async function beginSignIn(
  db: Database,
  username: string,
  device: string | null,
  keys: AttemptKeys,
): Promise<{ waitSeconds: number } | Attempted> {
  const [row] = await db.query<BeginRow>(`select * from staff.begin_sign_in($1, ${hex(2)}, ${keysFrom(3)})`, [
    username,
    device,
    ...keyValues(keys),
  ]);
  const { wait_seconds, known_device, ...found } = row as BeginRow;
  if (wait_seconds > 0) return { waitSeconds: wait_seconds };
  return {
    userId: found.user_id,
    username: found.username,
    source: found.source,
    // Whoever cannot sign in by a password is like somebody unknown.
    hash: found.status === 'active' && found.source === 'password' ? found.hash : null,
    totp:
      found.totp_secret === null
        ? undefined
        : { secret: found.totp_secret, lastStep: Number(found.totp_last_step) },
    knownDevice: known_device,
  };
}

export async function takeAttemptBack(
  db: Database,
  attempt: { knownDevice: boolean; succeeded: boolean; keys: AttemptKeys },
): Promise<void> {
  await db.query(`select staff.take_attempt_back($1, $2, ${keysFrom(3)})`, [
    attempt.knownDevice,
    attempt.succeeded,
    ...keyValues(attempt.keys),
  ]);
}

export async function noteFailure(
  db: Database,
  username: string | null,
  details: Record<string, string | boolean>,
): Promise<void> {
  await db.query(`select audit.add('sign_in.failed', 'user', $1, null, null, $2::jsonb)`, [
    username,
    JSON.stringify(details),
  ]);
}

export async function noteService(
  db: Database,
  action: 'sign_in.succeeded' | 'sign_in.failed',
  prefix: string | null,
): Promise<void> {
  await db.query(
    `select audit.add($1, 'api_key', $2, null, null, '{"method":"client_credentials"}'::jsonb)`,
    [action, prefix],
  );
}

export interface Completion {
  userId: string;
  verified: string;
  rehashed: string | null;
  totpStep: number | null;
  session: SessionOf;
  /** SHA-256, hex. */
  secretHash: string | null;
  refreshHash: string | null;
  replacedHash: string | null;
  deviceHash: string | null;
  knownDevice: boolean;
  keys: AttemptKeys;
}

export async function completeSignIn(
  db: Database,
  c: Completion,
): Promise<{ sessionId: string; ended: string[] } | undefined> {
  const [row] = await db.query<{ session_id: string; ended: string[] }>(
    `select * from staff.complete_sign_in($1, $2, $3, $4, $5::jsonb, ${hex(6)}, ${hex(7)}, ${hex(8)}, ${hex(9)}, $10,
                                          ${keysFrom(11)})`,
    [
      ...[c.userId, c.verified, c.rehashed, c.totpStep, JSON.stringify(c.session)],
      ...[c.secretHash, c.refreshHash, c.replacedHash, c.deviceHash, c.knownDevice],
      ...keyValues(c.keys),
    ],
  );
  return row && { sessionId: row.session_id, ended: row.ended };
}

export async function rotateRefreshToken(
  db: Database,
  given: string,
  next: string,
): Promise<{ outcome: 'refreshed' | 'reused' | 'ended' | 'unknown'; sessionId: string; username: string }> {
  const [row] = await db.query<{
    outcome: 'refreshed' | 'reused' | 'ended' | 'unknown';
    session_id: string;
    username: string;
  }>(`select * from staff.refresh_session(${hex(1)}, ${hex(2)})`, [given, next]);
  if (!row) throw new Error('staff.refresh_session answered nothing');
  return { outcome: row.outcome, sessionId: row.session_id, username: row.username };
}

/** Whose sessions: one person's, and where `team` is given, only if they are of that team. */
export interface Whose {
  username: string;
  team?: string | undefined;
}
const isWhose = `u.username = $1 and ($2::text is null or u.team = $2)`;
const whose = ({ username, team }: Whose) => [username, team ?? null];

export async function isPerson(db: Database, person: Whose): Promise<boolean> {
  const rows = await db.query(`select from staff.users u where ${isWhose}`, whose(person));
  return rows.length > 0;
}

interface SessionRow {
  id: string;
  kind: ListedSession['kind'];
  method: ListedSession['method'];
  device: string;
  address: string | null;
  created_at: Date;
  last_used_at: Date;
  expires_at: Date;
}

/** Live ones, the newest first, after the one with this id. */
export async function listSessions(
  db: Database,
  person: Whose,
  page: { after: string | undefined; limit: number },
): Promise<ListedSession[]> {
  const rows = await db.query<SessionRow>(
    `select s.id, s.kind, s.method, s.device, s.address, s.created_at, s.last_used_at, s.expires_at
     from staff.users u join staff.sessions s on s.user_id = u.id
     where ${isWhose} and s.ended_at is null and staff.is_live(s)
       and ($3::uuid is null or (s.created_at, s.id) < (select a.created_at, a.id from staff.sessions a where a.id = $3))
     order by s.created_at desc, s.id desc limit $4`,
    [...whose(person), page.after ?? null, page.limit],
  );
  return rows.map((row) => ({
    id: row.id,
    kind: row.kind,
    method: row.method,
    device: row.device,
    address: row.address,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
  }));
}

/** In one transaction; the database is not to be kept for long by somebody who has thousands. */
const endedAtOnce = 1_000;

/** Ends those of one person, all, one, or all but one, and answers which. */
export async function endSessionsOf(
  db: Database,
  person: Whose,
  which: { only?: string | undefined; but?: string | undefined },
  because: string,
): Promise<string[]> {
  const ended: string[] = [];
  for (;;) {
    const rows = await db.query<{ id: string }>(
      `select staff.end_sessions(array(
         select s.id from staff.users u join staff.sessions s on s.user_id = u.id
         where ${isWhose} and s.ended_at is null and ($3::uuid is null or s.id = $3) and s.id is distinct from $4::uuid
         limit $6
       ), $5) as id`,
      [...whose(person), which.only ?? null, which.but ?? null, because, endedAtOnce],
    );
    for (const { id } of rows) ended.push(id);
    if (rows.length < endedAtOnce) return ended;
  }
}

/** Whose session it is; undefined for one that has ended. */
export async function ownerOf(
  db: Database,
  sessionId: string,
): Promise<{ username: string; team: string | null } | undefined> {
  const [row] = await db.query<{ username: string; team: string | null }>(
    `select u.username, u.team from staff.sessions s join staff.users u on u.id = s.user_id
     where s.id = $1 and s.ended_at is null`,
    [sessionId],
  );
  return row;
}

export async function deleteOldSessions(db: Database, before: Date, limit: number): Promise<number> {
  return removed(db, 'staff.remove_old_sessions($1, $2)', [before.toISOString(), limit]);
}

export async function deleteOldAttempts(db: Database, limit: number): Promise<number> {
  return removed(db, 'staff.remove_old_attempts($1)', [limit]);
}

export async function deleteOldDevices(db: Database, before: Date, limit: number): Promise<number> {
  return removed(db, 'staff.remove_old_devices($1, $2)', [before.toISOString(), limit]);
}

async function removed(db: Database, call: string, params: unknown[]): Promise<number> {
  const [row] = await db.query<{ removed: number }>(`select ${call} as removed`, params);
  return row?.removed ?? 0;
}
