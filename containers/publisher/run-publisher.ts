// The publisher's life: opens what it needs, publishes until the signal, finishes the batch in progress, closes.

import { hostname } from 'node:os';
import { createLog, type Log } from '../../shared/log.ts';
import { beat } from '../../shared/operations/beat.ts';
import { signOff } from '../../shared/operations/sign-off.ts';
import { readQueueState } from '../../shared/outbox/queue-state.ts';
import { retiredSettings } from '../../shared/retired-settings.ts';
import { openPool } from '../database.ts';
import { runLoop } from '../loop.ts';
import { within } from '../time-limit.ts';
import { readPublisherSettings } from './env.ts';
import { openKafkaLog } from './kafka-log.ts';
import { destination, publishing } from './publish.ts';
import { openRedisLog } from './redis-log.ts';

const name = 'publisher';
const statementTimeoutMs = 10_000;
const closeTimeoutMs = 5_000;

/** Throws SettingsFault. `drained` is false when the batch in progress had to be left behind. */
export async function runPublisher(
  env: Record<string, string | undefined>,
  signal: AbortSignal,
): Promise<{ drained: boolean }> {
  const settings = readPublisherSettings(env);
  const instance = `${hostname()}-${process.pid}`;
  const log: Log = createLog(settings.logLevel, { process: name, instance });
  for (const line of retiredSettings(env)) log.warn('retired_setting', { message: line });

  const db = openPool({ ...settings.database, applicationName: name, timeoutMs: statementTimeoutMs });
  const eventLog =
    settings.log.kind === 'kafka' ? openKafkaLog(settings.log, log) : openRedisLog(settings.log);
  const { step, pauseMs, heartbeat } = publishing({
    db,
    log: eventLog,
    logKind: settings.log.kind,
    batchSize: settings.batchSize,
    idleMs: settings.idleMs,
    checkEveryMs: Math.min(settings.heartbeatMs, 5_000),
    onUndeliverable: ({ eventId, reason }) =>
      log.error('message_undeliverable', { event_id: eventId, reason }),
  });
  log.info('publisher_started', { log: settings.log.kind, batch_size: settings.batchSize });

  const { drained } = await runLoop({
    name,
    step,
    idleMs: pauseMs,
    backoff: { minMs: 200, maxMs: 5_000 },
    beat: async (state) => {
      const queue = await readQueueState(db, destination);
      await beat(db, { process: name, instance, ...heartbeat(state, queue) });
    },
    heartbeatMs: settings.heartbeatMs,
    stuckAfterMs: 60_000,
    drainTimeoutMs: 20_000,
    signal,
    log,
  });
  const close = async () => {
    await signOff(db, name, instance).catch(() => {});
    await Promise.all([eventLog.close(), db.close()]);
  };
  await within(closeTimeoutMs, close()).catch(() => {});
  log.info('publisher_stopped', { drained });
  return { drained };
}
