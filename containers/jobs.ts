// The one runner of jobs. Each second it looks which are due (shared/operations/job.ts) and runs those beside each
// other, each under its own lock, so that of any number of processes one runs it. A job that fails is recorded as
// failed and comes again at its time; nothing it does ends the process.

import { type Database, DatabaseFault, type TransactionalDatabase } from '../shared/database.ts';
import { errorFields, type Log } from '../shared/log.ts';
import { finishRun, reportProgress } from '../shared/operations/finish-run.ts';
import { isDue, type JobName, jobs, type RunDetail, type Schedule } from '../shared/operations/job.ts';
import { jobSchedules } from '../shared/operations/job-schedules.ts';
import { startRun } from '../shared/operations/start-run.ts';
import type { Pool } from './database.ts';
import type { LoopState } from './loop.ts';

export interface JobContext {
  /** Its statements may take minutes. */
  db: TransactionalDatabase;
  now: Date;
  /** Aborted when the process is to stop or the lock is lost; the job then throws what `throwIfAborted` throws. */
  signal: AbortSignal;
  /** Saved at most once a second; what the job returns is saved in any case. */
  progress(detail: RunDetail): Promise<void>;
}

/** Does a bounded piece of work and answers what it did. May be killed anywhere, and then begins anew. */
export type Job = (context: JobContext) => Promise<RunDetail>;

/** A job could not do its work for a reason that may be shown. */
export class JobFault extends Error {
  override readonly name = 'JobFault';
}

export interface JobsOptions<Name extends JobName> {
  /** For bookkeeping, and for the locks. */
  db: Pool;
  /** For the jobs themselves. */
  jobsDb: TransactionalDatabase;
  run: Record<Name, Job>;
  instance: string;
  signal: AbortSignal;
  log: Log;
  /** Whose lock another process holds is left alone for so long. */
  leftAloneMs?: number;
  everySeconds?: (job: Name) => number | null;
}

const progressEveryMs = 1_000;

export function runningJobs<Name extends JobName>(options: JobsOptions<Name>) {
  const { db, jobsDb, run, instance, signal, log } = options;
  const names = Object.keys(run) as Name[];
  const leftAloneMs = options.leftAloneMs ?? 5_000;
  const everySeconds = options.everySeconds ?? ((job) => jobs[job].everySeconds);
  const running = new Map<JobName, Promise<void>>();
  const leftAloneUntil = new Map<JobName, number>();
  /** Whoever starts the process may have mended what a job failed by, so its first look does not wait. */
  let firstLook = true;
  let schedules: Schedule[] = [];

  /** Looks what is due and starts it; it never waits for a job, and a step after it need not come at once. */
  const step = async (): Promise<number> => {
    schedules = await jobSchedules(db, names);
    for (const schedule of schedules) {
      const job = schedule.job as Name;
      const every = firstLook && schedule.lastStatus === 'failed' ? 0 : everySeconds(job);
      if (signal.aborted || running.has(job) || !isDue(schedule, every)) continue;
      if (performance.now() < (leftAloneUntil.get(job) ?? 0)) continue;
      const attempt = runUnderLock(job, every).finally(() => running.delete(job));
      running.set(job, attempt);
    }
    firstLook = false;
    return 0;
  };

  async function runUnderLock(job: Name, every: number | null): Promise<void> {
    try {
      const held = await db.tryLock(`operations.jobs ${job}`, async (lost) => {
        const started = await startRun(db, { job, everySeconds: every, instance });
        if (started) await runOnce(job, started.runId, AbortSignal.any([signal, lost]));
      });
      if (!held) leftAloneUntil.set(job, performance.now() + leftAloneMs);
    } catch (error) {
      // The bookkeeping failed: the run stays `running`, and whoever gets the lock next finds it abandoned.
      leftAloneUntil.set(job, performance.now() + leftAloneMs);
      log.error('job_not_recorded', { job, ...errorFields(error) });
    }
  }

  async function runOnce(job: Name, runId: string, stop: AbortSignal): Promise<void> {
    log.info('job_started', { job, run_id: runId });
    const context = { db: jobsDb, now: new Date(), signal: stop, progress: progressOf(db, runId) };
    try {
      const detail = await run[job](context);
      await finishRun(db, runId, { status: 'succeeded', detail });
      log.info('job_succeeded', { job, run_id: runId, ...detail });
    } catch (error) {
      const status = stop.aborted ? 'abandoned' : 'failed';
      log[stop.aborted ? 'warn' : 'error'](`job_${status}`, { job, run_id: runId, ...errorFields(error) });
      await finishRun(db, runId, {
        status,
        error: stop.aborted ? 'its process had to stop' : reasonFor(error),
      });
    }
  }

  const heartbeat = ({ condition, failures }: LoopState) => ({
    healthy: condition === 'running' || condition === 'draining',
    detail: {
      jobs_condition: condition,
      jobs_failures: failures,
      ...Object.fromEntries(
        schedules.flatMap(({ job, lastStatus, lastStartedSecondsAgo }) => [
          [`${job}_status`, lastStatus ?? 'never'],
          [`${job}_age_seconds`, lastStartedSecondsAgo === null ? null : Math.round(lastStartedSecondsAgo)],
        ]),
      ),
    },
  });

  return {
    step,
    heartbeat,
    /** Ends when every job that was running has ended; to be called after the signal. */
    ended: async () => void (await Promise.all(running.values())),
  };
}

function progressOf(db: Database, runId: string): JobContext['progress'] {
  let savedAt = Number.NEGATIVE_INFINITY;
  return async (detail) => {
    if (performance.now() - savedAt < progressEveryMs) return;
    savedAt = performance.now();
    await reportProgress(db, runId, detail);
  };
}

/** What may be shown of an error: our own words, the database's code, the system's code. */
function reasonFor(error: unknown): string {
  if (error instanceof JobFault || error instanceof DatabaseFault) return error.message;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (typeof code === 'string' && /^E[A-Z]+$/.test(code)) return `the system answered ${code}`;
  return 'an error in the job; the log of its process has it';
}
