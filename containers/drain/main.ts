// The drain: takes what was accepted while the database was away from its stream into the database, for as long as it
// lives. Any number may run and share the work. SIGTERM: finishes the batch in progress, exits 0. Settings that do not
// parse: says all of them, exits 1.

import { hostname } from 'node:os';
import { createLog, errorFields } from '../../shared/log.ts';
import { beat } from '../../shared/operations/beat.ts';
import { signOff } from '../../shared/operations/sign-off.ts';
import { SettingsFault } from '../../shared/settings.ts';
import { openPool } from '../database.ts';
import { runLoop } from '../loop.ts';
import { within } from '../time-limit.ts';
import { openAcceptedStream } from './accepted-stream.ts';
import { draining } from './drain.ts';
import { readDrainSettings } from './env.ts';

const name = 'drain';
const statementTimeoutMs = 10_000;
const closeTimeoutMs = 5_000;

async function drain(
  settings: ReturnType<typeof readDrainSettings>,
  signal: AbortSignal,
): Promise<{ drained: boolean }> {
  const instance = `${hostname()}-${process.pid}`;
  const log = createLog(settings.logLevel, { process: name, instance });
  const db = openPool({ ...settings.database, applicationName: name, timeoutMs: statementTimeoutMs });
  const { stream, claimAfterMs, batchSize } = settings;
  const accepted = openAcceptedStream({ url: settings.redisUrl, stream, consumer: instance, claimAfterMs });
  const { step, heartbeat, check } = draining({ db, accepted, batchSize, log });
  log.info('drain_started', { batch_size: batchSize });
  await check().catch((error) => log.error('store_away', errorFields(error)));

  const { drained } = await runLoop({
    name,
    step,
    idleMs: settings.idleMs,
    backoff: { minMs: 200, maxMs: 5_000 },
    beat: async (state) => beat(db, { process: name, instance, ...(await heartbeat(state)) }),
    heartbeatMs: settings.heartbeatMs,
    stuckAfterMs: 60_000,
    drainTimeoutMs: 20_000,
    signal,
    log,
  });
  const close = async () => {
    await signOff(db, name, instance).catch(() => {});
    await Promise.all([accepted.leave(), db.close()]);
  };
  await within(closeTimeoutMs, close()).catch(() => {});
  log.info('drain_stopped', { drained });
  return { drained };
}

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
process.once('SIGINT', () => stop.abort());

try {
  const { drained } = await drain(readDrainSettings(process.env), stop.signal);
  process.exit(drained ? 0 : 1);
} catch (error) {
  if (!(error instanceof SettingsFault)) throw error;
  console.error(error.message);
  process.exit(1);
}
