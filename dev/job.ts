// `npm run job -- <name>`: asks for a run of a job and waits for its end, with progress; without a name: every job and
// its last runs. In the database that DATABASE_URL names, else in the one that `npm start` runs here. Exits 1 when the
// run did not succeed, or when no process took it.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openPool } from '../containers/database.ts';
import { askedBy } from '../shared/audit/asker.ts';
import type { Database } from '../shared/database.ts';
import { isJobName, type JobName, jobNames, type RunDetail } from '../shared/operations/job.ts';
import { requestJob } from '../shared/operations/request-job.ts';
import { type JobRun, readJobs, readRun } from '../shared/read/jobs.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const lookEveryMs = 250;
const actor = 'job:job';
const takenWithinMs = 30_000;

const usage = `Usage: npm run job -- <name>     one of: ${jobNames.join(', ')}
       npm run job              lists them with their last runs`;

const told = (detail: RunDetail) =>
  Object.entries(detail)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

const line = (run: JobRun) =>
  [run.startedAt ?? run.requestedAt, run.status, run.error ?? told(run.detail)].join('  ').trimEnd();

async function list(db: Database): Promise<void> {
  for (const { name, does, everySeconds, runs } of await readJobs(db, 3)) {
    console.log(
      `${name}: ${does}, ${everySeconds === null ? 'when it is asked for' : `every ${everySeconds / 60} minutes`}`,
    );
    console.log(runs.length > 0 ? runs.map((run) => `  ${line(run)}`).join('\n') : '  has not run yet');
  }
}

/** Answers whether it succeeded. */
async function run(db: Database, job: JobName): Promise<boolean> {
  const { runId } = await requestJob(db, { job, actor });
  const deadline = Date.now() + takenWithinMs;
  let last = '';
  for (;;) {
    const state = await readRun(db, runId);
    if (!state) throw new Error('the run has been removed');
    const now = `${state.status}  ${state.error ?? told(state.detail)}`.trimEnd();
    if (now !== last) console.log(`${job}: ${now}`);
    last = now;
    if (state.finishedAt !== null) return state.status === 'succeeded';
    if (state.status === 'requested' && Date.now() > deadline && !(await isRunning(db, job))) {
      throw new Error(
        `no process has taken it for ${takenWithinMs / 1000} s: is ingest running? The request stays.`,
      );
    }
    await sleep(lookEveryMs);
  }
}

const isRunning = async (db: Database, job: JobName) =>
  (await readJobs(db, 2)).some(({ name, runs }) => name === job && runs.some((r) => r.status === 'running'));

try {
  const [job, ...more] = parseArgs({ allowPositionals: true }).positionals;
  if (more.length > 0 || (job !== undefined && !isJobName(job))) throw new Error(usage);
  loadEnvFile();
  const url = process.env.DATABASE_URL || readRunning().databaseUrl;
  const db = openPool({ url, min: 0, max: 1, applicationName: 'recoup-job', timeoutMs: 10_000 });
  const asked = askedBy(db, { actor });
  try {
    if (job === undefined) await list(db);
    else if (!(await run(asked, job))) process.exitCode = 1;
  } finally {
    await db.close();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
