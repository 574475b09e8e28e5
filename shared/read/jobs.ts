// Jobs with their latest runs, for those who watch them. It never writes.

import { sql } from 'drizzle-orm';
import { jobRuns } from '../../drizzle/schema/operations.ts';
import { type Database, tables } from '../database.ts';
import { type JobName, jobNames, jobs, type RunDetail, type RunStatus } from '../operations/job.ts';
import { utc } from './page.ts';

export interface JobRun {
  id: string;
  status: RunStatus;
  /** Who asked for it; null when it began by itself. */
  requestedBy: string | null;
  /** ISO 8601, UTC. */
  requestedAt: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  instance: string | null;
  detail: RunDetail;
  error: string | null;
}

export interface JobState {
  name: JobName;
  does: string;
  /** Null: only when it is asked for. */
  everySeconds: number | null;
  /** The latest first; one that waits comes before all. */
  runs: JobRun[];
}

const asJson = sql<string>`json_build_object(
  'id', ${jobRuns.id}, 'status', ${jobRuns.status}, 'requestedBy', ${jobRuns.requestedBy},
  'requestedAt', ${utc(jobRuns.requestedAt, 'MS')}, 'startedAt', ${utc(jobRuns.startedAt, 'MS')},
  'finishedAt', ${utc(jobRuns.finishedAt, 'MS')}, 'instance', ${jobRuns.instance},
  'detail', ${jobRuns.detail}, 'error', ${jobRuns.error})`;

/** Every job, with at most `limit` runs each. */
export async function readJobs(db: Database, limit: number): Promise<JobState[]> {
  const latest = sql`(select ${asJson} as run from ${jobRuns} where ${jobRuns.job} = wanted.job
    order by ${jobRuns.startedAt} desc nulls first limit ${limit}) as latest`;
  const rows = await tables(db)
    .select({
      job: sql<JobName>`wanted.job`,
      runs: sql<string>`(select coalesce(json_agg(latest.run), '[]')::text from ${latest})`,
    })
    .from(sql`(select json_array_elements_text(${JSON.stringify(jobNames)}::json) as job) as wanted`);
  const runsOf = new Map(rows.map(({ job, runs }) => [job, JSON.parse(runs) as JobRun[]]));
  return jobNames.map((name) => ({ name, ...jobs[name], runs: runsOf.get(name) ?? [] }));
}

export async function readRun(db: Database, id: string): Promise<JobRun | undefined> {
  const [row] = await tables(db)
    .select({ run: sql<string>`${asJson}::text` })
    .from(jobRuns)
    .where(sql`${jobRuns.id} = ${id}::uuid`);
  return row && JSON.parse(row.run);
}
