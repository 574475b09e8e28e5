// Calls that record go through one circuit breaker: while it is open, a call faults at once, as it would have after its
// time limit. Only what may succeed later counts as a fault; a refusal is an answer.

import { CircuitBreaker } from '../../shared/circuit-breaker.ts';
import { DatabaseFault } from '../../shared/database.ts';

const faultsInARow = 5;
const probeEveryMs = 1_000;

export type Guard = <T>(call: () => Promise<T>) => Promise<T>;

/** Where a fault is answered as a fault, each call may find out for itself. */
export const noGuard: Guard = (call) => call();

export function createGuard(): Guard {
  const breaker = new CircuitBreaker(faultsInARow, probeEveryMs);
  return async (call) => {
    if (!breaker.mayAsk(Date.now())) {
      throw new DatabaseFault('the database has been away for a while', { cause: undefined });
    }
    try {
      const value = await call();
      breaker.answered();
      return value;
    } catch (error) {
      if (error instanceof DatabaseFault && error.retryable) breaker.failed(Date.now());
      else breaker.answered();
      throw error;
    }
  };
}
