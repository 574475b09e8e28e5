// Who asks for a change, told to the database with the change itself: the triggers that write the audit trail read it
// there. Nothing else passes it on, so no verb can forget to.

import type { Database, TransactionalDatabase } from '../database.ts';

export interface Asker {
  /** `user:<username>`, `key:<prefix>`, `job:<name>`. */
  actor: string;
  address?: string | undefined;
  requestId?: string | undefined;
  sessionId?: string | undefined;
}

/** The statement that tells it, for the rest of its transaction. */
export const askerStatement = (asker: Asker): [text: string, params: string[]] => [
  `select set_config('recoup.asker', $1, true)`,
  [JSON.stringify(asker)],
];

/** The same database, each of whose transactions knows who asks; a statement by itself is one. */
export function askedBy(db: TransactionalDatabase, asker: Asker): TransactionalDatabase {
  const transaction = <T>(work: (tx: Database) => Promise<T>) =>
    db.transaction(async (tx) => {
      await tx.query(...askerStatement(asker));
      return work(tx);
    });
  return {
    transaction,
    query: (text, params) => transaction((tx) => tx.query(text, params)),
    arrays: (text, params) => transaction((tx) => tx.arrays(text, params)),
  };
}
