// What a slice may know of a database: text and parameters in, rows out. The edge brings Neon's HTTP driver,
// containers bring node-postgres; both throw DatabaseFault and nothing else, so that a caller knows whether to retry.

import { drizzle, type PgRemoteDatabase } from 'drizzle-orm/pg-proxy';

export interface Database {
  /** Rows as objects, values parsed by node-postgres' default rules (numeric and bigint stay strings). */
  query<Row extends object>(text: string, params?: readonly unknown[]): Promise<Row[]>;
  /** The same rows as arrays in column order, for Drizzle. */
  arrays(text: string, params?: readonly unknown[]): Promise<unknown[][]>;
}

/** A database reached over a connection that can hold a transaction open. Never available at the edge. */
export interface TransactionalDatabase extends Database {
  /** Commits what `work` did, or rolls all of it back when it throws. */
  transaction<T>(work: (db: Database) => Promise<T>): Promise<T>;
}

/**
 * The database could not do what was asked. `retryable` is true when the same statement may succeed later:
 * unreachable, timed out, overloaded, shutting down, lost a serialisation race. The message is safe to log: what
 * Postgres says about values stays in `cause`.
 */
export class DatabaseFault extends Error {
  override readonly name = 'DatabaseFault';
  readonly retryable: boolean;
  readonly sqlState: string | undefined;
  constructor(message: string, options: { sqlState?: string | undefined; cause: unknown }) {
    super(options.sqlState ? `the database answered SQLSTATE ${options.sqlState}` : message, {
      cause: options.cause,
    });
    this.sqlState = options.sqlState;
    this.retryable = options.sqlState === undefined || isRetryable(options.sqlState);
  }
}

/** Classes 08 (connection), 40 (rollback), 53 (resources), 55 (not available), 57 (operator, shutdown). */
const isRetryable = (sqlState: string) => /^(08|40|53|55|57)/.test(sqlState);

/**
 * Drizzle's typed query builder on any Database. What a driver throws Drizzle wraps in an error that quotes the
 * statement and its values; a fault therefore waits until Drizzle takes the rows, and arrives as it is.
 */
export const tables = (db: Database): PgRemoteDatabase =>
  drizzle(async (text, params) => {
    try {
      return { rows: await db.arrays(text, params) };
    } catch (fault) {
      return {
        get rows(): never {
          throw fault;
        },
      };
    }
  });
