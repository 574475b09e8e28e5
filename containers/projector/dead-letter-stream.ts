// What was buried, beside the table that keeps it whole: a Redis stream that other systems' tools can follow, whatever
// the source was. About the last hundred thousand are kept. A letter may come twice, never not at all.

import { reconnecting } from '../reconnecting.ts';
import { redisClient } from '../redis-client.ts';
import type { Delivery } from './source.ts';

const buryTimeoutMs = 5_000;
const closeTimeoutMs = 2_000;
const lettersKept = 100_000;

export interface Burial {
  /** May be shown to whoever reads the stream. */
  reason: string;
  /** Undefined where it could not be read. */
  eventId: string | undefined;
  type: string | undefined;
}

export interface Letter {
  delivery: Delivery;
  burial: Burial;
}

export function openDeadLetterStream(url: string, stream: string) {
  const redis = reconnecting({
    create: (lost) => redisClient(url).on('error', lost),
    open: (client) => client.connect(),
    discard: (client) => client.destroy(),
  });
  const trim = { strategy: 'MAXLEN', strategyModifier: '~', threshold: lettersKept } as const;

  return {
    /** All of them, or it throws. */
    async bury(letters: readonly Letter[]): Promise<void> {
      await redis.use(buryTimeoutMs, (client) =>
        Promise.all(letters.map((letter) => client.xAdd(stream, '*', entryOf(letter), { TRIM: trim }))),
      );
    },
    /** Does not throw. */
    close: () => redis.close(closeTimeoutMs),
  };
}

const entryOf = ({ delivery, burial: { reason, eventId, type } }: Letter) => ({
  source: delivery.source,
  entry_id: delivery.entryId,
  reason,
  event_id: eventId ?? '',
  type: type ?? '',
  fields: JSON.stringify(delivery.fields ?? {}),
});
