// Requests that a second person has approved: each is taken to the ledger as it was asked for, one after the other. While
// the ledger is away, or nobody knows what it did, the request stays in the outbox and is taken again under the same key.

import type { JsonValue } from '@bufbuild/protobuf';
import { type ExecutingLedger, executeRequest } from '../../shared/approvals/execute-request.ts';
import type { Database, TransactionalDatabase } from '../../shared/database.ts';
import type { Destination, OutboxMessage, Undeliverable } from '../../shared/outbox/message.ts';
import { readQueueState } from '../../shared/outbox/queue-state.ts';
import { relayBatch } from '../../shared/outbox/relay.ts';
import { LedgerFault } from '../../shared/posting/post-due.ts';
import type { LedgerClient } from '../ledger-client.ts';
import type { ContractMethod } from '../ledger-contract.ts';
import type { Part } from '../run-container.ts';
import { failed } from './ledger.ts';

const destination: Destination = 'requests';

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
  let executed = 0;
  const receiver = {
    async append(messages: readonly OutboxMessage[], tx: Database) {
      for (const { payload } of messages) await executeRequest(tx, ledger, payload);
    },
  };
  return {
    async step() {
      // One, so that none is undone because of another.
      const { sent, setAside } = await relayBatch(db, destination, receiver, 1);
      setAside.forEach(onUndeliverable);
      executed += sent;
      return sent + setAside.length;
    },
    idleMs,
    async heartbeat({ condition, failures }) {
      const { oldestSeconds, undeliverable } = await readQueueState(db, destination);
      return {
        healthy: (condition === 'running' || condition === 'draining') && undeliverable === 0,
        detail: {
          requests_condition: condition,
          requests_failures: failures,
          requests_executed_total: executed,
          requests_oldest_seconds: oldestSeconds,
        },
      };
    },
  };
}
