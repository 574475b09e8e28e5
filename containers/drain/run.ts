// The drain's life: opens the stream, says how durable it is, drains until the signal, closes.

import { errorFields } from '../../shared/log.ts';
import { runContainer } from '../run-container.ts';
import { openAcceptedStream } from './accepted-stream.ts';
import { draining } from './drain.ts';
import { readDrainSettings } from './env.ts';

/** Throws SettingsFault. */
export function run(env: Record<string, string | undefined>, signal: AbortSignal) {
  const settings = readDrainSettings(env);
  return runContainer('drain', settings, env, signal, async ({ db, log, instance }) => {
    const { stream, claimAfterMs, batchSize, idleMs } = settings;
    const accepted = openAcceptedStream({ url: settings.redisUrl, stream, consumer: instance, claimAfterMs });
    const { step, heartbeat, check } = draining({ db, accepted, batchSize, log });
    await check().catch((error) => log.error('store_away', errorFields(error)));
    return {
      about: { batch_size: batchSize },
      parts: { drain: { step, idleMs, heartbeat } },
      close: () => accepted.leave(),
    };
  });
}
