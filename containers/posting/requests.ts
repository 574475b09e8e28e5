// The loop that has the ledger do what was approved. A request's outcome is written down as soon as it is known; its message
// leaves the outbox when all of its batch are settled, so that one the ledger does not answer holds up none of the others, and
// one that comes again is answered by the ledger as before.

import { type ExecutingLedger, executeRequest } from '../../shared/approvals/execute-request.ts';
import type { TransactionalDatabase } from '../../shared/database.ts';
import type { Log } from '../../shared/log.ts';
import type { Destination, OutboxMessage } from '../../shared/outbox/message.ts';
import { readQueueState } from '../../shared/outbox/queue-state.ts';
import { relayBatch } from '../../shared/outbox/relay.ts';
import type { Part } from '../run-container.ts';

const destination: Destination = 'requests';
const atOnce = 50;

export interface RequestsOptions {
  db: TransactionalDatabase;
  ledger: ExecutingLedger;
  idleMs: number;
  log: Log;
}

export function requests({ db, ledger, idleMs, log }: RequestsOptions): Part {
  const totals = { executed: 0, failed: 0 };

  async function execute({ payload }: OutboxMessage): Promise<void> {
    const { requestId, outcome, isNew } = await executeRequest(db, ledger, payload);
    if (!isNew) return;
    totals[outcome]++;
    log.info('request_settled', { id: requestId, outcome });
  }

  return {
    async step() {
      const append = async (messages: readonly OutboxMessage[]) => {
        const settled = await Promise.allSettled(messages.map(execute));
        for (const one of settled) if (one.status === 'rejected') throw one.reason;
      };
      const { sent, setAside } = await relayBatch(db, destination, { append }, atOnce);
      return sent + setAside.length;
    },
    idleMs: (done) => (done === atOnce ? 0 : idleMs),
    async heartbeat({ condition, failures }) {
      const { oldestSeconds, undeliverable } = await readQueueState(db, destination);
      return {
        healthy: (condition === 'running' || condition === 'draining') && undeliverable === 0,
        detail: {
          requests_condition: condition,
          requests_failures: failures,
          requests_oldest_seconds: oldestSeconds,
          requests_executed_total: totals.executed,
          requests_failed_total: totals.failed,
        },
      };
    },
  };
}
