// The operations slice's only SQL.

import type { Database } from '../database.ts';
import type { Heartbeat } from './heartbeat.ts';
import { type IdempotencyKey, idempotencyKeyDays } from './idempotency-key.ts';

export async function saveHeartbeat(db: Database, heartbeat: Heartbeat): Promise<void> {
  await db.query(
    `insert into operations.heartbeats (process, instance, healthy, detail) values ($1, $2, $3, $4)
     on conflict (process, instance)
       do update set healthy = excluded.healthy, detail = excluded.detail, beat_at = now()`,
    [heartbeat.process, heartbeat.instance, heartbeat.healthy, JSON.stringify(heartbeat.detail)],
  );
}

/** Of any process: who removes it does not matter, and a process that is gone for good cannot do it itself. */
export async function removeOldHeartbeats(db: Database, limit: number): Promise<void> {
  await db.query(
    `delete from operations.heartbeats where (process, instance) in (
       select process, instance from operations.heartbeats
       where beat_at < now() - interval '1 hour' order by beat_at limit $1
     )`,
    [limit],
  );
}

export async function removeHeartbeat(db: Database, process: string, instance: string): Promise<void> {
  await db.query('delete from operations.heartbeats where process = $1 and instance = $2', [
    process,
    instance,
  ]);
}

/** The answer that is kept now; undefined when the key is gone. */
export async function saveAnswer(
  db: Database,
  { actor, key }: IdempotencyKey,
  answer: string,
): Promise<string | undefined> {
  const [row] = await db.query<{ answer: string | null }>(
    'select operations.keep_answer($1, $2, $3) as answer',
    [actor, key, answer],
  );
  return row?.answer ?? undefined;
}

export async function deleteOldIdempotencyKeys(db: Database, limit: number): Promise<number> {
  const [row] = await db.query<{ removed: number }>(
    'select operations.remove_old_idempotency_keys(make_interval(days => $1), $2) as removed',
    [idempotencyKeyDays, limit],
  );
  return row?.removed ?? 0;
}
