// The edge's way to Postgres: Neon's HTTP driver behind the slices' Database. One call is one round trip; a call
// that takes longer than its limit is given up (it may have been carried out, which every write here allows for).

import { NeonDbError, neon, neonConfig } from '@neondatabase/serverless';
import { type Database, DatabaseFault } from '../shared/database.ts';

export interface EdgeDatabaseSettings {
  url: string;
  /** Where Neon's HTTP protocol is spoken, when not at Neon itself. */
  fetchEndpoint: string | undefined;
  /** Used instead where the runtime brings one. */
  bound?: Database | undefined;
  timeoutMs: number;
}

export function openDatabase({ url, fetchEndpoint, bound, timeoutMs }: EdgeDatabaseSettings): Database {
  if (bound) return timed(bound, timeoutMs);
  if (fetchEndpoint) neonConfig.fetchEndpoint = fetchEndpoint;
  const sql = neon(url);
  const run = async (text: string, params: readonly unknown[], arrayMode: boolean) => {
    try {
      const fetchOptions = { signal: AbortSignal.timeout(timeoutMs) };
      return await sql.query(text, [...params], { arrayMode, fetchOptions });
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
