// How the ledger is, as the gateway sees it. Asked often, it asks the ledger at most once in a moment.

import type { BreakerState } from '../../shared/circuit-breaker.ts';
import type { LedgerClient, LedgerHealth } from '../ledger-client.ts';

export interface Health {
  /**
   * up: it serves. degraded: it says that it serves, but calls have failed and are held back for now. down: it cannot be
   * reached, or says that it does not serve.
   */
  status: 'up' | 'degraded' | 'down';
  ledger: LedgerHealth;
  breaker: BreakerState;
}

const keptMs = 500;

export function watchHealth(client: LedgerClient): () => Promise<Health> {
  let askedAt = Number.NEGATIVE_INFINITY;
  let asked: Promise<LedgerHealth> | undefined;
  return async () => {
    if (!asked || performance.now() - askedAt > keptMs) {
      askedAt = performance.now();
      asked = client.health();
    }
    const ledger = await asked;
    const { breaker } = client;
    const status = ledger !== 'serving' ? 'down' : breaker === 'closed' ? 'up' : 'degraded';
    return { status, ledger, breaker };
  };
}
