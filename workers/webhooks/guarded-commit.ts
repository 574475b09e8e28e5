// Committing payments behind a circuit breaker: while that is open, a payment faults at once, as it would have after
// its time limit. Only what may succeed later counts as a fault; a refusal is an answer.

import { DatabaseFault } from '../../shared/database.ts';
import type { CommitPayment } from '../../shared/payments/group-commit.ts';
import { CircuitBreaker } from './circuit-breaker.ts';

const faultsInARow = 5;
const probeEveryMs = 1_000;

export function guarded(commit: CommitPayment): CommitPayment {
  const breaker = new CircuitBreaker(faultsInARow, probeEveryMs);
  return async (payment) => {
    if (!breaker.mayAsk(Date.now())) {
      throw new DatabaseFault('the database has been away for a while', { cause: undefined });
    }
    try {
      const recorded = await commit(payment);
      breaker.answered();
      return recorded;
    } catch (error) {
      if (error instanceof DatabaseFault && error.retryable) breaker.failed(Date.now());
      else breaker.answered();
      throw error;
    }
  };
}
