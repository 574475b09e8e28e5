// Ingest's life: staging, notices, jobs and the sealing of the audit trail beside each other until the signal; what they
// have begun ends at its next step.

import { openPool } from '../database.ts';
import { runningJobs } from '../jobs.ts';
import { runContainer } from '../run-container.ts';
import { approvals } from './approvals.ts';
import { cleanup } from './cleanup.ts';
import { readIngestSettings } from './env.ts';
import { figures } from './figures.ts';
import { askingNotices } from './notices.ts';
import { partitions } from './partitions.ts';
import { retention } from './retention.ts';
import { sealing } from './sealing.ts';
import { staging } from './staging.ts';

/** A job's single statement may move or read a whole month of payments. */
const jobStatementTimeoutMs = 600_000;
const jobsLookMs = 1_000;
/** A provider is not to be asked more at the same time. */
const noticesAtOnce = 5;

/** Throws SettingsFault. */
export function run(env: Record<string, string | undefined>, signal: AbortSignal) {
  const settings = readIngestSettings(env);
  return runContainer('ingest', settings, env, signal, ({ db, log, instance }) => {
    const jobsDb = openPool({
      ...settings.database,
      min: 0,
      applicationName: 'ingest-jobs',
      timeoutMs: jobStatementTimeoutMs,
    });
    const staged = staging({ db, instance, ...settings.staging });
    const jobs = runningJobs({
      db,
      jobsDb,
      run: {
        staging: async ({ progress, signal: stop }) => {
          const totals = await staged.runNow((soFar) => void progress(soFar).catch(() => {}), stop);
          stop.throwIfAborted();
          return totals;
        },
        partitions: partitions(settings.partitions),
        retention: retention(settings.retention),
        cleanup: cleanup(settings.cleanup),
        figures: figures(),
        approvals: approvals(),
      },
      instance,
      signal,
      log,
    });
    const notices = askingNotices({
      db,
      channels: settings.notices.channels,
      business: settings.staging.business,
      log,
      fetch,
      timeoutMs: settings.notices.timeoutMs,
      batchSize: noticesAtOnce,
    });
    const parts = {
      staging: { step: staged.step, heartbeat: staged.heartbeat, idleMs: settings.staging.idleMs },
      notices: { step: notices.step, heartbeat: notices.heartbeat, idleMs: settings.notices.idleMs },
      jobs: { step: jobs.step, heartbeat: jobs.heartbeat, idleMs: jobsLookMs },
      sealing: sealing(db),
    };
    return {
      about: { parts: Object.keys(parts).join(',') },
      parts,
      ended: () => jobs.ended(),
      close: () => jobsDb.close(),
    };
  });
}
