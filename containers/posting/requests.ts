// Requests that a second person has approved: each is taken to the ledger as it was asked for. What the ledger says of one is
// written down at once; its message leaves the outbox when all of its batch are settled, so that one which the ledger does not
// answer holds up none of the others, and one that comes again is answered by the ledger as before.

import type { JsonValue } from '@bufbuild/protobuf';
import { type ExecutingLedger, executeRequest } from '../../shared/approvals/execute-request.ts';
import type { TransactionalDatabase } from '../../shared/database.ts';
import type { Destination, OutboxMessage, Undeliverable } from '../../shared/outbox/message.ts';
import { readQueueState } from '../../shared/outbox/queue-state.ts';
import { relayBatch } from '../../shared/outbox/relay.ts';
import { LedgerFault } from '../../shared/posting/post-due.ts';
import type { LedgerClient } from '../ledger-client.ts';
import type { ContractMethod } from '../ledger-contract.ts';
import type { Part } from '../run-container.ts';
import { failed } from './ledger.ts';

const destination: Destination = 'requests';
const atOnce = 50;

/** What is no answer is thrown as LedgerFault. */
export const executingOver = (
  client: LedgerClient,
  contract: ReadonlyMap<string, ContractMethod>,
): ExecutingLedger => ({
  async call({ service, method: name, message }, actor) {
    const method = contract.get(`${service}/${name}`);
    if (!method) throw new Error(`the contract has no ${service}/${name}`);
    // As JSON: what is undefined is not said.
    const request = method.readRequest(JSON.parse(JSON.stringify(message)) as JsonValue);
    const answer = await client.call(method, request, { actor });
    if (answer.ok) {
      return { ok: true, answer: method.writeResponse(answer.value) as Record<string, unknown> };
    }
    const failure = failed(answer.refusal);
    if (failure.outcome !== 'refused') throw new LedgerFault(failure.message);
    return { ok: false, refusal: failure };
  },
});

export function executing({
  db,
  ledger,
  idleMs,
  onUndeliverable,
}: {
  db: TransactionalDatabase;
  ledger: ExecutingLedger;
  idleMs: number;
  onUndeliverable: (message: Undeliverable) => void;
}): Part {
  const totals = { executed: 0, failed: 0 };
  const execute = async ({ payload }: OutboxMessage) => {
    const { outcome, isNew } = await executeRequest(db, ledger, payload);
    if (isNew) totals[outcome]++;
  };
  const receiver = {
    async append(messages: readonly OutboxMessage[]) {
      const settled = await Promise.allSettled(messages.map(execute));
      for (const one of settled) if (one.status === 'rejected') throw one.reason;
    },
  };
  return {
    async step() {
      const { sent, setAside } = await relayBatch(db, destination, receiver, atOnce);
      setAside.forEach(onUndeliverable);
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
          requests_executed_total: totals.executed,
          requests_failed_total: totals.failed,
          requests_oldest_seconds: oldestSeconds,
        },
      };
    },
  };
}
