// The operations slice's only SQL.

import type { Database } from '../database.ts';
import type { Heartbeat } from './heartbeat.ts';
import { type IdempotencyKey, idempotencyKeyDays } from './idempotency-key.ts';
import { abandonedLimit, type JobName, type RunDetail, type RunEnd, type Schedule } from './job.ts';

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

const schedulesStatement = `
  select wanted.job, exists (select from operations.job_runs r where r.job = wanted.job and r.status = 'requested') as "requestWaits",
         (array_agg(latest.status order by latest.started_at desc))[1] as "lastStatus",
         extract(epoch from clock_timestamp() - max(latest.started_at))::float8 as "lastStartedSecondsAgo",
         coalesce(min(latest.place) filter (where latest.status <> 'abandoned') - 1, count(latest.place))::int as "abandonedInARow"
  from unnest($1::text[]) with ordinality as wanted (job, n)
  left join lateral (
    select r.status, r.started_at, row_number() over (order by r.started_at desc) as place
    from operations.job_runs r
    where r.job = wanted.job and r.started_at is not null
    order by r.started_at desc limit $2
  ) as latest on true
  group by wanted.job, wanted.n
  order by wanted.n`;

/** One for each job, in the order given. */
export const readSchedules = (db: Database, jobs: readonly JobName[]): Promise<Schedule[]> =>
  db.query<Schedule>(schedulesStatement, [jobs, abandonedLimit]);

/** The id of the request that waits now, or undefined when it was taken between two looks. */
export async function saveRequest(
  db: Database,
  { job, actor }: { job: JobName; actor: string },
): Promise<string | undefined> {
  const [row] = await db.query<{ id: string }>(
    `with asked as (
       insert into operations.job_runs (job, requested_by, requested_at) values ($1, $2, now())
       on conflict (job) where status = 'requested' do nothing
       returning id
     )
     select id from asked
     union all
     select id from operations.job_runs where job = $1 and status = 'requested'`,
    [job, actor],
  );
  return row?.id;
}

export async function abandonRuns(db: Database, job: JobName): Promise<void> {
  await db.query(
    `update operations.job_runs set status = 'abandoned', finished_at = now(), error = 'its process ended before it did'
     where job = $1 and status = 'running'`,
    [job],
  );
}

export async function takeRequest(
  db: Database,
  { job, instance }: { job: JobName; instance: string },
): Promise<string | undefined> {
  const [row] = await db.query<{ id: string }>(
    `update operations.job_runs set status = 'running', started_at = now(), instance = $2
     where job = $1 and status = 'requested' returning id`,
    [job, instance],
  );
  return row?.id;
}

export async function insertRun(
  db: Database,
  { job, instance }: { job: JobName; instance: string },
): Promise<string> {
  const [row] = await db.query<{ id: string }>(
    `insert into operations.job_runs (job, status, started_at, instance) values ($1, 'running', now(), $2) returning id`,
    [job, instance],
  );
  return row!.id;
}

export async function saveProgress(db: Database, runId: string, detail: RunDetail): Promise<void> {
  await db.query(`update operations.job_runs set detail = $2 where id = $1 and status = 'running'`, [
    runId,
    JSON.stringify(detail),
  ]);
}

export async function saveEnd(db: Database, runId: string, end: RunEnd): Promise<void> {
  await db.query(
    `update operations.job_runs set status = $2, finished_at = now(), error = $3, detail = coalesce($4, detail)
     where id = $1 and status = 'running'`,
    end.status === 'succeeded'
      ? [runId, end.status, null, JSON.stringify(end.detail)]
      : [runId, end.status, end.error, null],
  );
}

export async function removeRunsBefore(db: Database, before: Date, limit: number): Promise<number> {
  const removed = await db.query(
    `delete from operations.job_runs where id in (
       select id from operations.job_runs where finished_at < $1 order by finished_at limit $2
     ) returning id`,
    [before.toISOString(), limit],
  );
  return removed.length;
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
