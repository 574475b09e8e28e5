// The publisher: takes committed messages from the outbox to the log, for as long as it lives. Any number may run;
// one works, the others stand by. SIGTERM: finishes the batch in progress, exits 0. Settings that do not parse: says
// all of them, exits 1.

import { hostname } from 'node:os';
import { createLog, type Log } from '../../shared/log.ts';
import { beat } from '../../shared/operations/beat.ts';
import { signOff } from '../../shared/operations/sign-off.ts';
import { retiredSettings } from '../../shared/retired-settings.ts';
import { SettingsFault } from '../../shared/settings.ts';
import { openPool } from '../database.ts';
import { runLoop } from '../loop.ts';
import { openProbes } from '../probes.ts';
import { within } from '../time-limit.ts';
import { type PublisherSettings, readPublisherSettings } from './env.ts';
import { openKafkaLog } from './kafka-log.ts';
import { publishing } from './publish.ts';
import { openRedisLog } from './redis-log.ts';

const name = 'publisher';
const statementTimeoutMs = 10_000;
const closeTimeoutMs = 5_000;

async function publish(settings: PublisherSettings, signal: AbortSignal): Promise<{ drained: boolean }> {
  const instance = `${hostname()}-${process.pid}`;
  const log: Log = createLog(settings.logLevel, { process: name, instance });
  for (const line of retiredSettings(process.env)) log.warn('retired_setting', { message: line });

  const probes = await openProbes(settings.probePort);
  const db = openPool({ ...settings.database, applicationName: name, timeoutMs: statementTimeoutMs });
  const eventLog =
    settings.log.kind === 'kafka' ? openKafkaLog(settings.log, log) : openRedisLog(settings.log);
  const { step, heartbeat } = publishing({
    db,
    log: eventLog,
    logKind: settings.log.kind,
    batchSize: settings.batchSize,
    checkEveryMs: Math.min(settings.heartbeatMs, 5_000),
  });
  const tell = probes.watching((heartbeat) => beat(db, heartbeat));
  log.info('publisher_started', { log: settings.log.kind, batch_size: settings.batchSize });

  const { drained } = await runLoop({
    name,
    step,
    idleMs: settings.idleMs,
    backoff: { minMs: 200, maxMs: 5_000 },
    beat: (state) => {
      const { healthy, detail } = heartbeat(state);
      return tell({ process: name, instance, healthy, detail: { ...detail, ...db.stats() } });
    },
    heartbeatMs: settings.heartbeatMs,
    stuckAfterMs: 60_000,
    drainTimeoutMs: 20_000,
    signal,
    log,
  });
  const close = async () => {
    await signOff(db, name, instance).catch(() => {});
    await Promise.all([eventLog.close(), db.close(), probes.close()]);
  };
  await within(closeTimeoutMs, close()).catch(() => {});
  log.info('publisher_stopped', { drained });
  return { drained };
}

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
process.once('SIGINT', () => stop.abort());

try {
  const { drained } = await publish(readPublisherSettings(process.env), stop.signal);
  process.exit(drained ? 0 : 1);
} catch (error) {
  if (!(error instanceof SettingsFault)) throw error;
  console.error(error.message);
  process.exit(1);
}
