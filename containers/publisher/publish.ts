// One step of publishing and what the heartbeat says of it. When there is nothing to publish the log is asked from
// time to time whether it would take something, so that its absence is known before the next payment.

import type { TransactionalDatabase } from '../../shared/database.ts';
import { type EventLog, EventLogFault } from '../../shared/outbox/event-log.ts';
import type { Destination } from '../../shared/outbox/message.ts';
import { relayBatch } from '../../shared/outbox/relay.ts';
import type { LoopState } from '../loop.ts';

export interface PublishOptions {
  db: TransactionalDatabase;
  log: EventLog;
  logKind: 'kafka' | 'redis';
  batchSize: number;
  /** The log is asked when it has shown nothing for so long. */
  checkEveryMs: number;
}

/** The outbox's name for the log. */
const destination: Destination = 'log';

export function publishing({ db, log, logKind, batchSize, checkEveryMs }: PublishOptions) {
  let logOk = false;
  let provenAt = Number.NEGATIVE_INFINITY;
  let sentTotal = 0;
  let attempts = 0;
  let failures = 0;
  let lastSentAt: string | null = null;
  let standingBy = false;

  const counted: EventLog = {
    check: () => log.check(),
    close: () => log.close(),
    async append(messages) {
      attempts += 1;
      await log.append(messages).catch((fault) => {
        failures += 1;
        throw fault;
      });
    },
  };

  const step = async (): Promise<number> => {
    try {
      const relayed = await relayBatch(db, destination, counted, batchSize);
      standingBy = relayed.standingBy;
      if (relayed.sent > 0) {
        sentTotal += relayed.sent;
        lastSentAt = new Date().toISOString();
      } else {
        if (performance.now() - provenAt < checkEveryMs) return 0;
        await log.check();
      }
      logOk = true;
      provenAt = performance.now();
      return relayed.sent;
    } catch (error) {
      if (error instanceof EventLogFault) logOk = false;
      throw error;
    }
  };

  const heartbeat = ({ condition, failures: failuresInARow }: LoopState) => ({
    healthy: logOk && (condition === 'running' || condition === 'draining'),
    detail: {
      condition,
      failures: failuresInARow,
      log: logKind,
      log_ok: logOk,
      sent_total: sentTotal,
      publish_attempts_total: attempts,
      publish_failures_total: failures,
      last_sent_at: lastSentAt,
      standing_by: standingBy,
    },
  });

  return { step, heartbeat };
}
