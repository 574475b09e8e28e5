// One step of publishing and what the heartbeat says of it. When there is nothing to publish the log is asked from
// time to time whether it would take something, so that its absence is known before the next payment.
//
//   since there was something to send     the next look at the outbox
//   a batch or more is waiting            at once, and the batch may be twice as large, up to ten times the setting
//   something was sent                    at once
//   nothing for under 20 ms               after 5 ms
//   longer                                after a quarter of the time there has been nothing
//   always                                after PUBLISH_INTERVAL_MS at most

import type { TransactionalDatabase } from '../../shared/database.ts';
import { type EventLog, EventLogFault, TooLargeFault } from '../../shared/outbox/event-log.ts';
import type { Destination, Undeliverable } from '../../shared/outbox/message.ts';
import type { QueueState } from '../../shared/outbox/queue-state.ts';
import { relayBatch } from '../../shared/outbox/relay.ts';
import type { LoopState } from '../loop.ts';

export interface PublishOptions {
  db: TransactionalDatabase;
  log: EventLog;
  logKind: 'kafka' | 'redis';
  /** Messages per batch, up to ten times as many while there is a backlog. */
  batchSize: number;
  /** The log is asked when it has shown nothing for so long. */
  checkEveryMs: number;
  onUndeliverable: (message: Undeliverable) => void;
}

/** The outbox's name for the log. */
export const destination: Destination = 'log';

const shortestPauseMs = 5;
const largestBatch = 10;

/** How long to wait when there has been nothing for `quietMs`. */
export const pauseMs = (quietMs: number, longestMs: number): number =>
  Math.min(longestMs, Math.max(shortestPauseMs, quietMs / 4));

export function publishing({ db, log, logKind, batchSize, checkEveryMs, onUndeliverable }: PublishOptions) {
  let logOk = false;
  let provenAt = Number.NEGATIVE_INFINITY;
  let limit = batchSize;
  let appends = 0;
  let appendFailures = 0;
  let sentTotal = 0;
  let lastSentAt: string | null = null;
  let standingBy = false;
  let beatBefore = { at: performance.now(), sentTotal };

  /** What the log answers to a message that is too large is no failure of the log. */
  const counted: Pick<EventLog, 'append'> = {
    async append(messages) {
      try {
        await log.append(messages);
      } catch (error) {
        if (error instanceof TooLargeFault) throw error;
        appendFailures += 1;
        appends += 1;
        throw error;
      }
      appends += 1;
    },
  };

  const step = async (): Promise<number> => {
    try {
      const { sent, setAside, ...relayed } = await relayBatch(db, destination, counted, limit);
      standingBy = relayed.standingBy;
      setAside.forEach(onUndeliverable);
      limit = sent < batchSize ? batchSize : Math.min(limit * 2, batchSize * largestBatch);
      if (sent > 0) {
        sentTotal += sent;
        lastSentAt = new Date().toISOString();
      } else {
        if (performance.now() - provenAt < checkEveryMs) return setAside.length;
        await log.check();
      }
      logOk = true;
      provenAt = performance.now();
      return sent + setAside.length;
    } catch (error) {
      if (error instanceof EventLogFault) logOk = false;
      throw error;
    }
  };

  const heartbeat = ({ condition, failures }: LoopState, queue: QueueState) => {
    const now = performance.now();
    const sentPerSecond = ((sentTotal - beatBefore.sentTotal) * 1_000) / Math.max(now - beatBefore.at, 1);
    beatBefore = { at: now, sentTotal };
    return {
      healthy: logOk && queue.undeliverable === 0 && (condition === 'running' || condition === 'draining'),
      detail: {
        condition,
        failures,
        log: logKind,
        log_ok: logOk,
        sent_total: sentTotal,
        sent_per_second: Math.round(sentPerSecond * 10) / 10,
        last_sent_at: lastSentAt,
        appends_total: appends,
        append_failures_total: appendFailures,
        oldest_waiting_seconds: queue.oldestSeconds,
        undeliverable: queue.undeliverable,
        standing_by: standingBy,
      },
    };
  };

  return { step, heartbeat };
}
