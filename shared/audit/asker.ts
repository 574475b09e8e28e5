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

/** The same database, each of whose statements is a transaction that knows who asks. */
export function askedBy(db: TransactionalDatabase, asker: Asker): Database {
  const asked = <T>(work: (tx: Database) => Promise<T>) =>
    db.transaction(async (tx) => {
      await tx.query(...askerStatement(asker));
      return work(tx);
    });
  return {
    query: (text, params) => asked((tx) => tx.query(text, params)),
    arrays: (text, params) => asked((tx) => tx.arrays(text, params)),
  };
}
