// The log as Redis Streams, for deployments without Kafka: one stream per topic, one atomic append per batch. The
// stream is bounded: entries beyond EVENT_STREAM_MAX_LENGTH go, read or not. Redis copies to its replicas after it
// has answered, so a failover may lose the last entries; Kafka does not.

import { ErrorReply, MultiErrorReply } from 'redis';
import { type EventLog, EventLogFault } from '../../shared/outbox/event-log.ts';
import { reconnecting } from '../reconnecting.ts';
import { redisClient } from '../redis-client.ts';
import type { RedisSettings } from './env.ts';

const appendTimeoutMs = 10_000;
const checkTimeoutMs = 5_000;
const closeTimeoutMs = 2_000;

export function openRedisLog(settings: RedisSettings): EventLog {
  const redis = reconnecting({
    create: (lost) => redisClient(settings.url).on('error', lost),
    open: (client) => client.connect(),
    discard: (client) => client.destroy(),
  });
  const trim = { strategy: 'MAXLEN', strategyModifier: '~', threshold: settings.streamMaxLength } as const;

  return {
    async append(messages) {
      try {
        await redis.use(appendTimeoutMs, (client) => {
          const batch = client.multi();
          for (const { topic, eventId, key, payload } of messages) {
            batch.xAdd(topic, '*', { event_id: eventId, key, payload }, { TRIM: trim });
          }
          return batch.exec();
        });
      } catch (cause) {
        throw new EventLogFault(`Redis did not confirm the messages: ${reason(cause)}`, { cause });
      }
    },
    async check() {
      try {
        await redis.use(checkTimeoutMs, (client) => client.ping());
      } catch (cause) {
        throw new EventLogFault(`Redis does not answer: ${reason(cause)}`, { cause });
      }
    },
    close: () => redis.close(closeTimeoutMs),
  };
}

/** Of what Redis replies only the code, because the rest may quote what it was sent. */
function reason(error: unknown): string {
  if (error instanceof MultiErrorReply) return reason([...error.errors()][0]);
  const said = error instanceof Error ? error.message : String(error);
  return error instanceof ErrorReply ? (said.split(' ')[0] as string) : said;
}
