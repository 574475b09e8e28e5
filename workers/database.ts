// The edge's way to Postgres: Neon's HTTP driver behind the slices' Database. One call is one round trip; a call
// that takes longer than its limit is given up (it may have been carried out, which every write here allows for).

import { NeonDbError, neon, neonConfig } from '@neondatabase/serverless';
import { type Asker, askedBy, askerStatement } from '../shared/audit/asker.ts';
import { type Database, DatabaseFault, type TransactionalDatabase } from '../shared/database.ts';

export interface EdgeDatabaseSettings {
  url: string;
  /** Where Neon's HTTP protocol is spoken, when not at Neon itself. */
  fetchEndpoint: string | undefined;
  /** Used instead where the runtime brings one. */
  bound?: TransactionalDatabase | undefined;
  timeoutMs: number;
}

/** With an asker each statement is a transaction that knows who asks, still in one round trip. */
export function openDatabase(
  { url, fetchEndpoint, bound, timeoutMs }: EdgeDatabaseSettings,
  asker?: Asker,
): Database {
  if (bound) return timed(asker ? askedBy(bound, asker) : bound, timeoutMs);
  if (fetchEndpoint) neonConfig.fetchEndpoint = fetchEndpoint;
  const sql = neon(url);
  const run = async (text: string, params: readonly unknown[], arrayMode: boolean) => {
    try {
      const fetchOptions = { signal: AbortSignal.timeout(timeoutMs) };
      if (!asker) return await sql.query(text, [...params], { arrayMode, fetchOptions });
      const statements = [sql.query(...askerStatement(asker)), sql.query(text, [...params])];
      return (await sql.transaction(statements, { arrayMode, fetchOptions }))[1] as unknown[];
    } catch (cause) {
      const sqlState = cause instanceof NeonDbError ? cause.code : undefined;
      throw new DatabaseFault(cause instanceof Error ? cause.message : String(cause), { sqlState, cause });
    }
  };
  return {
    query: async <Row extends object>(text: string, params = []) => (await run(text, params, false)) as Row[],
    arrays: async (text, params = []) => (await run(text, params, true)) as unknown[][],
  };
}

const timed = (db: Database, timeoutMs: number): Database => ({
  query: (text, params) => within(timeoutMs, db.query(text, params)),
  arrays: (text, params) => within(timeoutMs, db.arrays(text, params)),
});

async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    const message = `no answer within ${limitMs} ms`;
    timer = setTimeout(() => reject(new DatabaseFault(message, { cause: undefined })), limitMs);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
