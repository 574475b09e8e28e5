// One step of publishing and what the heartbeat says of it. When there is nothing to publish the log is asked from
// time to time whether it would take something, so that its absence is known before the next payment.
//
//   what the step found                the next one
//   a batch or more                    at once, and its batch may be twice as large, up to ten times the setting
//   less                               after 5 ms, so that messages gather meanwhile instead of going one by one
//   nothing, for under 20 ms           after 5 ms
//   nothing, for longer                after a quarter of that time, at most PUBLISH_INTERVAL_MS

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
  /** The longest pause. */
  idleMs: number;
  /** The log is asked when it has shown nothing for so long. */
  checkEveryMs: number;
  onUndeliverable: (message: Undeliverable) => void;
}

/** The outbox's name for the log. */
export const destination: Destination = 'log';

const shortestPauseMs = 5;
const largestBatch = 10;

export function publishing({
  db,
  log,
  logKind,
  batchSize,
  idleMs,
  checkEveryMs,
  onUndeliverable,
}: PublishOptions) {
  let logOk = false;
  let provenAt = Number.NEGATIVE_INFINITY;
  let limit = batchSize;
  let busyAt = performance.now();
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

  const pauseMs = (done: number): number => {
    const now = performance.now();
    if (done > 0) busyAt = now;
    return done >= batchSize ? 0 : Math.min(idleMs, Math.max(shortestPauseMs, (now - busyAt) / 4));
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
        publish_attempts_total: appends,
        publish_failures_total: appendFailures,
        oldest_waiting_seconds: queue.oldestSeconds,
        undeliverable: queue.undeliverable,
        standing_by: standingBy,
      },
    };
  };

  return { step, pauseMs, heartbeat };
}
