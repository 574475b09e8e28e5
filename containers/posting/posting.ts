// The three loops of posting and what the heartbeat says of them: messages become postings, the ledger is asked for those
// that are pending, and those that are held are tried again. When there is nothing to ask, the ledger is asked from time to
// time whether it is there, so that its absence is known before the next payment.

import type { Database, TransactionalDatabase } from '../../shared/database.ts';
import type { Destination, OutboxMessage, Undeliverable } from '../../shared/outbox/message.ts';
import { readQueueState } from '../../shared/outbox/queue-state.ts';
import { relayBatch } from '../../shared/outbox/relay.ts';
import type { Ledger } from '../../shared/posting/ledger.ts';
import { LedgerFault, postDue } from '../../shared/posting/post-due.ts';
import { readPostingQueue } from '../../shared/posting/queue.ts';
import { takeMessages } from '../../shared/posting/take-messages.ts';
import { tryAgain } from '../../shared/posting/try-again.ts';
import type { LoopState } from '../loop.ts';
import type { Part } from '../run-container.ts';

const destination: Destination = 'ledger';
/** Messages become postings by a few statements, however many they are. */
const takenAtOnce = 500;
const heldAtOnce = 200;
const heldLookMs = 1_000;

export interface PostingOptions {
  db: TransactionalDatabase;
  ledger: Ledger;
  timeZone: string;
  /** So many postings are asked for side by side. */
  batchSize: number;
  idleMs: number;
  checkEveryMs: number;
  onUndeliverable: (message: Undeliverable) => void;
}

const isWell = ({ condition }: LoopState) => condition === 'running' || condition === 'draining';

export function posting(options: PostingOptions): Record<'taking' | 'posting' | 'held', Part> {
  const { db, ledger, batchSize, idleMs } = options;
  let ledgerOk = false;
  let provenAt = Number.NEGATIVE_INFINITY;
  let standingBy = false;
  const totals = { posted: 0, held: 0, undecided: 0 };

  const taking: Part = {
    async step() {
      const receiver = {
        append: (messages: readonly OutboxMessage[], tx: Database) => takeMessages(tx, messages, options),
      };
      const { sent, setAside } = await relayBatch(db, destination, receiver, takenAtOnce);
      setAside.forEach(options.onUndeliverable);
      return sent + setAside.length;
    },
    idleMs: (done) => (done >= batchSize ? 0 : idleMs),
    async heartbeat(state) {
      const { oldestSeconds, undeliverable } = await readQueueState(db, destination);
      return {
        healthy: isWell(state) && undeliverable === 0,
        detail: {
          taking_condition: state.condition,
          taking_failures: state.failures,
          oldest_waiting_seconds: oldestSeconds,
          undeliverable,
        },
      };
    },
  };

  const asking: Part = {
    async step() {
      try {
        const { posted, held, undecided, ...batch } = await postDue(db, ledger, batchSize);
        standingBy = batch.standingBy;
        totals.posted += posted;
        totals.held += held;
        totals.undecided += undecided;
        if (posted + held === 0) {
          if (performance.now() - provenAt < options.checkEveryMs) return 0;
          if (!(await ledger.isServing())) throw new LedgerFault('the ledger is not serving');
        }
        ledgerOk = true;
        provenAt = performance.now();
        return posted + held;
      } catch (error) {
        if (error instanceof LedgerFault) ledgerOk = false;
        throw error;
      }
    },
    idleMs,
    async heartbeat(state) {
      const queue = await readPostingQueue(db);
      return {
        healthy: isWell(state) && ledgerOk,
        detail: {
          condition: state.condition,
          failures: state.failures,
          ledger_ok: ledgerOk,
          standing_by: standingBy,
          posted_total: totals.posted,
          refused_total: totals.held,
          undecided_total: totals.undecided,
          postings_pending: queue.pending,
          postings_oldest_seconds: queue.oldestSeconds,
          postings_held: queue.held,
        },
      };
    },
  };

  const held: Part = {
    step: () => tryAgain(db, heldAtOnce),
    idleMs: (done) => (done === heldAtOnce ? 0 : heldLookMs),
    heartbeat: (state) => ({
      healthy: isWell(state),
      detail: { held_condition: state.condition, held_failures: state.failures },
    }),
  };
  return { taking, posting: asking, held };
}
