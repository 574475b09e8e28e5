// Whether a transaction that failed may have been committed: only when its work was done and the database's answer to
// `commit` is missing. In every other case it was not.

import { DatabaseFault, type TransactionalDatabase } from '../../shared/database.ts';

/** It may have happened, or not. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown';
}

/** Throws OutcomeUnknown for a fault after which it is not known; after any other nothing has happened. */
export async function knowingOutcome<T>(
  db: TransactionalDatabase,
  change: (db: TransactionalDatabase) => Promise<T>,
): Promise<T> {
  let decided = false;
  const watched: TransactionalDatabase = {
    query: db.query,
    arrays: db.arrays,
    transaction: (work) =>
      db.transaction(async (tx) => {
        const value = await work(tx);
        decided = true;
        return value;
      }),
  };
  try {
    return await change(watched);
  } catch (cause) {
    if (decided && cause instanceof DatabaseFault && cause.sqlState === undefined)
      throw new OutcomeUnknown('the database did not say whether it committed', { cause });
    throw cause;
  }
}
