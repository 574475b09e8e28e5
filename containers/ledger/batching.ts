// Commands that arrive together are posted together. While earlier batches run, what arrives waits in a queue of its
// loan; the next batch takes loans in the order of their first waiting command, each with all that waits for it.
//
//   the queue is full                     the command is refused at once, and nothing happened
//   its caller has gone while it waited   it is taken out, and nothing happened
//   the database lost a race              the same batch again, a few times
//   a batch faults for another reason     one half after the other, until the culprit is alone
//   the database is away                  every command of the batch has this fault
//
// No two batches under way share a loan, so that they never wait for each other's locks.

import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseFault } from '../../shared/database.ts';
import { OutcomeUnknown } from './commit.ts';

export interface BatchingOptions<Command, Answer> {
  /** One transaction: all are answered in their order, or it throws and none happened. */
  post: (commands: readonly Command[]) => Promise<readonly Answer[]>;
  /** Called after each batch that was posted. */
  posted?: (commands: readonly Command[], answers: readonly Answer[]) => void;
  largestBatch: number;
  /** Commands that may wait; one more is refused. */
  mostWaiting: number;
  /** Batches under way at once. */
  lanes: number;
}

/** Refused because too many wait already. Nothing happened. */
export class Overloaded extends Error {
  override readonly name = 'Overloaded';
}
/** Taken out of the queue because its caller has gone. Nothing happened. */
export class Withdrawn extends Error {
  override readonly name = 'Withdrawn';
}

interface Waiting<Command, Answer> {
  command: Command;
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
  signal: AbortSignal | undefined;
}

const attempts = 5;

export function batching<Command extends { loanId: string }, Answer>({
  post,
  posted,
  largestBatch,
  mostWaiting,
  lanes,
}: BatchingOptions<Command, Answer>) {
  type Entry = Waiting<Command, Answer>;
  const queues = new Map<string, Entry[]>();
  /** Loans whose commands wait and are in no batch, in the order in which a batch takes them. */
  const ready = new Set<string>();
  const underWay = new Set<string>();
  let waiting = 0;
  let running = 0;
  let woken = false;
  const totals = { batches: 0, commands: 0, overloaded: 0 };

  function take(): Entry[] {
    const batch: Entry[] = [];
    for (const loan of ready) {
      if (batch.length === largestBatch) break;
      ready.delete(loan);
      const queue = queues.get(loan) as Entry[];
      const taken = queue.splice(0, largestBatch - batch.length);
      waiting -= taken.length;
      if (queue.length === 0) queues.delete(loan);
      const wanted = taken.filter(({ signal, reject }) => {
        if (signal?.aborted) reject(new Withdrawn('its caller has gone'));
        return !signal?.aborted;
      });
      if (wanted.length > 0) underWay.add(loan);
      else if (queue.length > 0) ready.add(loan);
      batch.push(...wanted);
    }
    return batch;
  }

  async function run(batch: readonly Entry[]): Promise<void> {
    running += 1;
    totals.batches += 1;
    totals.commands += batch.length;
    await settle(batch);
    running -= 1;
    for (const { command } of batch) {
      underWay.delete(command.loanId);
      if (queues.has(command.loanId)) ready.add(command.loanId);
    }
    start();
  }

  /** Does not throw: each command has been answered, or has its fault. */
  async function settle(batch: readonly Entry[]): Promise<void> {
    const commands = batch.map(({ command }) => command);
    let answers: readonly Answer[];
    try {
      answers = await postAgain(commands);
    } catch (error) {
      if (batch.length === 1 || isAway(error)) {
        for (const { reject } of batch) reject(error);
        return;
      }
      const half = Math.ceil(batch.length / 2);
      await settle(batch.slice(0, half));
      await settle(batch.slice(half));
      return;
    }
    posted?.(commands, answers);
    batch.forEach(({ resolve }, i) => {
      resolve(answers[i] as Answer);
    });
  }

  async function postAgain(commands: readonly Command[]): Promise<readonly Answer[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await post(commands);
      } catch (error) {
        if (attempt === attempts || !lostRace(error)) throw error;
        await sleep(Math.random() * 10 * attempt);
      }
    }
  }

  function start(): void {
    while (running < lanes && ready.size > 0) {
      const batch = take();
      if (batch.length > 0) void run(batch);
    }
  }

  return {
    /** Throws Overloaded, Withdrawn, OutcomeUnknown, DatabaseFault, and what a bug in posting throws. */
    submit(command: Command, signal?: AbortSignal): Promise<Answer> {
      if (waiting >= mostWaiting) {
        totals.overloaded += 1;
        return Promise.reject(new Overloaded('too many commands wait'));
      }
      return new Promise((resolve, reject) => {
        const queue = queues.get(command.loanId);
        const entry = { command, resolve, reject, signal };
        if (queue) queue.push(entry);
        else queues.set(command.loanId, [entry]);
        waiting += 1;
        if (!underWay.has(command.loanId)) ready.add(command.loanId);
        // After whatever else arrives in this turn.
        if (woken) return;
        woken = true;
        setImmediate(() => {
          woken = false;
          start();
        });
      });
    },
    state: () => ({ waiting, running, ...totals }),
  };
}

/** Deadlock, serialisation, or a key that another process has just taken: it is answered the next time. */
const lostRace = (error: unknown) =>
  error instanceof DatabaseFault && ['40001', '40P01', '23505'].includes(error.sqlState ?? '');

/** Half a batch would fare no better. */
const isAway = (error: unknown) =>
  error instanceof OutcomeUnknown ||
  (error instanceof DatabaseFault && (error.sqlState === undefined || /^(08|53|57P)/.test(error.sqlState)));
