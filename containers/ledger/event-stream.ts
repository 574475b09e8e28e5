// Where the ledger tells what has happened: a Redis stream that the projector reads, in its envelope. An entry that is
// added twice has the same event id. The projector trims the stream behind its readers; without any it ends somewhere.

import { type EventLog, EventLogFault } from '../../shared/outbox/event-log.ts';
import { reconnecting } from '../reconnecting.ts';
import { redisClient } from '../redis-client.ts';

const appendTimeoutMs = 10_000;
const checkTimeoutMs = 5_000;
const closeTimeoutMs = 2_000;
const mostEntries = 5_000_000;

export function openEventStream(url: string, stream: string): EventLog {
  const redis = reconnecting({
    create: (lost) => redisClient(url).on('error', lost),
    open: (client) => client.connect(),
    discard: (client) => client.destroy(),
  });
  const trim = { strategy: 'MAXLEN', strategyModifier: '~', threshold: mostEntries } as const;
  const orFault = (what: string) => (cause: unknown) => {
    throw new EventLogFault(what, { cause });
  };
  return {
    async append(messages) {
      const adding = redis.use(appendTimeoutMs, (client) => {
        const batch = client.multi();
        for (const { topic, eventId, payload } of messages)
          batch.xAdd(stream, '*', { event_id: eventId, event_type: topic, payload }, { TRIM: trim });
        return batch.exec();
      });
      await adding.catch(orFault('Redis did not confirm the events'));
    },
    async check() {
      await redis.use(checkTimeoutMs, (client) => client.ping()).catch(orFault('Redis does not answer'));
    },
    close: () => redis.close(closeTimeoutMs),
  };
}
