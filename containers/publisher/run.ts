// The publisher's life: opens its log, publishes until the signal, finishes the batch in progress, closes.

import { readQueueState } from '../../shared/outbox/queue-state.ts';
import { runContainer } from '../run-container.ts';
import { readPublisherSettings } from './env.ts';
import { openKafkaLog } from './kafka-log.ts';
import { destination, publishing } from './publish.ts';
import { openRedisLog } from './redis-log.ts';

/** Throws SettingsFault. */
export function run(env: Record<string, string | undefined>, signal: AbortSignal) {
  const settings = readPublisherSettings(env);
  const { kind } = settings.log;
  return runContainer('publisher', settings, env, signal, ({ db, log }) => {
    const eventLog =
      settings.log.kind === 'kafka' ? openKafkaLog(settings.log, log) : openRedisLog(settings.log);
    const { step, pauseMs, heartbeat } = publishing({
      db,
      log: eventLog,
      logKind: kind,
      batchSize: settings.batchSize,
      idleMs: settings.idleMs,
      checkEveryMs: Math.min(settings.heartbeatMs, 5_000),
      onUndeliverable: ({ eventId, reason }) =>
        log.error('message_undeliverable', { event_id: eventId, reason }),
    });
    return {
      about: { log: kind, batch_size: settings.batchSize },
      parts: {
        publisher: {
          step,
          idleMs: pauseMs,
          heartbeat: async (state) => heartbeat(state, await readQueueState(db, destination)),
        },
      },
      close: () => eventLog.close(),
    };
  });
}
