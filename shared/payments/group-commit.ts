// Group commit: payments that arrive while a statement is in flight share the next one. Alone, a payment waits for
// nobody. Each gets its own outcome or its own fault; what cannot be recorded fails alone. No I/O and no timers here.
//
//   a statement of n payments    what follows for them
//   succeeds                     each has its outcome
//   retryable fault              all have this fault, because every sender repeats
//   no answer, none beside it    so have those that wait: the database is away, and they would outwait their senders
//   other fault, n > 1           its halves are tried, each as a statement of its own
//   other fault, n = 1           this payment has the fault

import { DatabaseFault } from '../database.ts';
import type { NewPayment, Recorded } from './payment.ts';

export interface GroupCommitLimits {
  /** Payments in one statement. */
  perStatement: number;
  /** Statements at a time. The next one starts when the one before has ended, or is slow. */
  inFlight: number;
  /** A statement that takes longer holds nobody up any more, once another payment arrives. */
  slowMs: number;
  /** Payments that wait for a statement; one more is refused with a retryable fault instead of waiting for long. */
  waiting: number;
}

/** docs/benchmarks.md has the measurements. */
export const groupCommitLimits: GroupCommitLimits = {
  perStatement: 200,
  inFlight: 4,
  slowMs: 50,
  waiting: 5_000,
};

/** Throws DatabaseFault; repeating the call is safe. */
export type CommitPayment = (payment: NewPayment) => Promise<Recorded>;

interface Waiting {
  payment: NewPayment;
  resolve: (recorded: Recorded) => void;
  reject: (fault: unknown) => void;
}

/**
 * `record` is the verb that takes a batch and answers in its order, all of it or nothing; repeating it must be safe.
 * It never runs more than `inFlight` times at once.
 */
export function groupCommit(
  record: (payments: readonly NewPayment[]) => Promise<Recorded[]>,
  limits: GroupCommitLimits,
  now: () => number = Date.now,
): CommitPayment {
  const queue: Waiting[] = [];
  /** The statements in flight, by when they were started. */
  const startedAt = new Map<symbol, number>();

  const recordGroup = async (group: readonly Waiting[]): Promise<void> => {
    try {
      const outcomes = await record(group.map(({ payment }) => payment));
      group.forEach(({ resolve }, i) => void resolve(outcomes[i] as Recorded));
    } catch (fault) {
      const isEveryones = fault instanceof DatabaseFault && fault.retryable;
      const isAway = isEveryones && fault.sqlState === undefined && startedAt.size === 1;
      const failed = isAway ? [...group, ...queue.splice(0)] : group;
      if (isEveryones || group.length === 1) return failed.forEach(({ reject }) => void reject(fault));
      const half = Math.ceil(group.length / 2);
      await recordGroup(group.slice(0, half));
      await recordGroup(group.slice(half));
    }
  };

  const mayStart = () =>
    startedAt.size < limits.inFlight &&
    [...startedAt.values()].every((started) => now() - started > limits.slowMs);

  const startNext = (): void => {
    if (queue.length === 0 || !mayStart()) return;
    const statement = Symbol();
    startedAt.set(statement, now());
    void recordGroup(queue.splice(0, limits.perStatement)).then(() => {
      startedAt.delete(statement);
      startNext();
    });
  };

  return (payment) =>
    new Promise((resolve, reject) => {
      if (queue.length >= limits.waiting) {
        const message = `${queue.length} payments wait for a statement`;
        return reject(new DatabaseFault(message, { cause: undefined }));
      }
      queue.push({ payment, resolve, reject });
      startNext();
    });
}
