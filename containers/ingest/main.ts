// Ingest: runs the jobs. Any number may run; each job is run by one of them at a time. SIGTERM: what is in progress
// ends at its next step (up to 20 s), exits 0. Settings that do not parse: says all of them, exits 1.

import { hostname } from 'node:os';
import { createLog, type Log } from '../../shared/log.ts';
import { beat } from '../../shared/operations/beat.ts';
import type { Heartbeat } from '../../shared/operations/heartbeat.ts';
import { signOff } from '../../shared/operations/sign-off.ts';
import { retiredSettings } from '../../shared/retired-settings.ts';
import { SettingsFault } from '../../shared/settings.ts';
import { openPool } from '../database.ts';
import { runningJobs } from '../jobs.ts';
import { type LoopState, runLoop } from '../loop.ts';
import { within } from '../time-limit.ts';
import { cleanup } from './cleanup.ts';
import { type IngestSettings, readIngestSettings } from './env.ts';
import { partitions } from './partitions.ts';
import { retention } from './retention.ts';

const name = 'ingest';
const statementTimeoutMs = 10_000;
/** A job's single statement may move or read a whole month of payments. */
const jobStatementTimeoutMs = 600_000;
const jobsLookMs = 1_000;
const drainTimeoutMs = 20_000;
const closeTimeoutMs = 5_000;

/** One of the loops that run side by side; together they are one process with one heartbeat. */
interface Part {
  step: () => Promise<number>;
  idleMs: number;
  /** Names in `detail` begin with the part's own. */
  heartbeat: (state: LoopState) => Pick<Heartbeat, 'healthy' | 'detail'>;
}

async function ingest(settings: IngestSettings, signal: AbortSignal): Promise<{ drained: boolean }> {
  const instance = `${hostname()}-${process.pid}`;
  const log: Log = createLog(settings.logLevel, { process: name, instance });
  for (const line of retiredSettings(process.env)) log.warn('retired_setting', { message: line });

  const { database, heartbeatMs } = settings;
  const db = openPool({ ...database, applicationName: name, timeoutMs: statementTimeoutMs });
  const jobsDb = openPool({
    ...database,
    min: 0,
    applicationName: `${name}-jobs`,
    timeoutMs: jobStatementTimeoutMs,
  });
  const jobs = runningJobs({
    db,
    jobsDb,
    run: {
      partitions: partitions(settings.partitions),
      retention: retention(settings.retention),
      cleanup: cleanup(),
    },
    instance,
    signal,
    log,
  });

  // What runs side by side, by name: the name begins the loop's log events.
  const parts: Record<string, Part> = {
    jobs: { step: jobs.step, heartbeat: jobs.heartbeat, idleMs: jobsLookMs },
  };
  log.info('ingest_started', { parts: Object.keys(parts).join(',') });

  const told = new Map<string, ReturnType<Part['heartbeat']>>();
  const beatTogether = () =>
    beat(db, {
      process: name,
      instance,
      healthy: [...told.values()].every(({ healthy }) => healthy),
      detail: Object.assign({}, ...[...told.values()].map(({ detail }) => detail)),
    });
  const loops = Object.entries(parts).map(([part, { step, idleMs, heartbeat }]) =>
    runLoop({
      name: part,
      step,
      idleMs,
      backoff: { minMs: 200, maxMs: 5_000 },
      beat: (state) => {
        told.set(part, heartbeat(state));
        return beatTogether();
      },
      heartbeatMs,
      stuckAfterMs: 60_000,
      drainTimeoutMs,
      signal,
      log,
    }),
  );
  const ends = await Promise.all(loops);
  const jobsEnded = await within(drainTimeoutMs, jobs.ended()).then(
    () => true,
    () => false,
  );
  const drained = jobsEnded && ends.every((end) => end.drained);

  const close = async () => {
    await signOff(db, name, instance).catch(() => {});
    await Promise.all([jobsDb.close(), db.close()]);
  };
  await within(closeTimeoutMs, close()).catch(() => {});
  log.info('ingest_stopped', { drained });
  return { drained };
}

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
process.once('SIGINT', () => stop.abort());

try {
  const { drained } = await ingest(readIngestSettings(process.env), stop.signal);
  process.exit(drained ? 0 : 1);
} catch (error) {
  if (!(error instanceof SettingsFault)) throw error;
  console.error(error.message);
  process.exit(1);
}
