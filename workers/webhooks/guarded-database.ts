// A database behind a circuit breaker: while that is open, a call faults at once, as it would have after its time
// limit. Only what may succeed later counts as a fault; a refusal is an answer.

import { type Database, DatabaseFault } from '../../shared/database.ts';
import { openDatabase } from '../database.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import type { WebhooksSettings } from './env.ts';

const faultsInARow = 5;
const probeEveryMs = 1_000;

/** Where a fault leads to acceptance, which must not wait for the whole time limit again and again. */
export const openRecordingDatabase = (settings: WebhooksSettings): Database =>
  settings.accepted ? guarded(openDatabase(settings.database)) : openDatabase(settings.database);

function guarded(db: Database): Database {
  const breaker = new CircuitBreaker(faultsInARow, probeEveryMs);
  const through = async <T>(call: () => Promise<T>): Promise<T> => {
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
  return {
    query: (text, params) => through(() => db.query(text, params)),
    arrays: (text, params) => through(() => db.arrays(text, params)),
  };
}
