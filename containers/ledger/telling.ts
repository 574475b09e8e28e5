// Takes what the ledger has written for others to its stream: each event at least once, those of a loan in order.

import type { TransactionalDatabase } from '../../shared/database.ts';
import type { Log } from '../../shared/log.ts';
import type { EventLog } from '../../shared/outbox/event-log.ts';
import { readQueueState } from '../../shared/outbox/queue-state.ts';
import { relayBatch } from '../../shared/outbox/relay.ts';
import type { Part } from '../run-container.ts';

/** As the ledger's own outbox names it. */
const destination = 'inbox';
const batchSize = 500;
const idleMs = 100;
/** Balances on screens are older then than anybody expects. */
const lateSeconds = 60;

export function telling(db: TransactionalDatabase, stream: EventLog, log: Log): Part {
  let told = 0;
  return {
    async step() {
      const { sent, setAside } = await relayBatch(db, destination, stream, batchSize);
      for (const { eventId, reason } of setAside)
        log.error('message_undeliverable', { event_id: eventId, reason });
      told += sent;
      return sent + setAside.length;
    },
    idleMs: (done) => (done === batchSize ? 0 : idleMs),
    async heartbeat({ condition }) {
      const { oldestSeconds, undeliverable } = await readQueueState(db, destination);
      return {
        healthy:
          (condition === 'running' || condition === 'draining') &&
          undeliverable === 0 &&
          oldestSeconds < lateSeconds,
        detail: {
          telling_condition: condition,
          events_told_total: told,
          events_waiting_seconds: oldestSeconds,
          events_undeliverable: undeliverable,
        },
      };
    },
  };
}
