// A container's way to Postgres: a node-postgres pool behind the slices' Database.

import pg from 'pg';
import { type Database, DatabaseFault, type TransactionalDatabase } from '../shared/database.ts';

export interface PoolSettings {
  url: string;
  min: number;
  max: number;
  applicationName: string;
  /** No statement runs longer; also the longest wait for a connection. */
  timeoutMs: number;
}

/** How busy a pool is at this moment, under the names it has in a heartbeat. */
interface PoolStats {
  pool_max: number;
  /** Connections that somebody works on. */
  pool_in_use: number;
  /** Those who wait for one. */
  pool_waiting: number;
}

export interface Pool extends TransactionalDatabase {
  stats(): PoolStats;
  /**
   * Does the work while this process holds the named lock, on a connection of its own that has no transaction open.
   * False, and no work, when another session holds it. `lost` is aborted when the connection breaks, and with it the
   * lock: the work should then end. What the work throws is thrown. Not through a pooler: the lock belongs to a session.
   */
  tryLock(name: string, work: (lost: AbortSignal) => Promise<void>): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * A client that vanishes in the middle of a transaction would keep its locks until TCP notices, which takes hours; the
 * server ends it after this. Nothing here may be quiet for so long between two statements of a transaction.
 */
const idleInTransactionMs = 30_000;

/** The same for the connection that holds a lock: a machine that vanished is noticed after about a minute. */
const keepaliveStatement =
  'set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3';

export function openPool(settings: PoolSettings): Pool {
  const pool = new pg.Pool({
    connectionString: verified(settings.url),
    min: settings.min,
    max: settings.max,
    application_name: settings.applicationName,
    connectionTimeoutMillis: settings.timeoutMs,
    statement_timeout: settings.timeoutMs,
    query_timeout: settings.timeoutMs + 1_000,
    idle_in_transaction_session_timeout: idleInTransactionMs,
    keepAlive: true,
  });
  // An idle connection that dies is dropped by the pool; the next query reports what is wrong.
  pool.on('error', () => {});

  return {
    ...databaseOf(pool),
    async transaction(work) {
      const client = await pool.connect().catch(fault);
      // A connection that dies between two statements also emits 'error'; the statement after it rejects.
      client.on('error', () => {});
      let broken: Error | undefined;
      try {
        await client.query('begin').catch(fault);
        const value = await work(databaseOf(client));
        await client.query('commit').catch(fault);
        return value;
      } catch (error) {
        await client.query('rollback').catch((cause) => {
          broken = cause;
        });
        throw error;
      } finally {
        client.removeAllListeners('error');
        client.release(broken);
      }
    },
    stats: () => ({
      pool_max: settings.max,
      pool_in_use: pool.totalCount - pool.idleCount,
      pool_waiting: pool.waitingCount,
    }),
    async tryLock(name, work) {
      const client = new pg.Client({
        connectionString: verified(settings.url),
        application_name: `${settings.applicationName}-lock`,
        connectionTimeoutMillis: settings.timeoutMs,
        query_timeout: settings.timeoutMs,
        keepAlive: true,
      });
      const lost = new AbortController();
      client.on('error', () => lost.abort());
      client.on('end', () => lost.abort());
      try {
        await client.connect().catch(fault);
        await client.query(keepaliveStatement).catch(fault);
        const answer = await client
          .query('select pg_try_advisory_lock(hashtextextended($1, 0)) as locked', [name])
          .catch(fault);
        if (answer.rows[0].locked !== true) return false;
        await work(lost.signal);
        return true;
      } finally {
        // The lock goes with the session.
        await client.end().catch(() => {});
      }
    },
    close: () => pool.end(),
  };
}

/**
 * node-postgres 8 checks the certificate under every sslmode that encrypts, warns that version 9 will not, and asks to
 * say what is meant: `verify-full`. Who wants libpq's meaning writes uselibpqcompat=true, and gets it.
 */
const verified = (url: string) =>
  url.includes('uselibpqcompat=true')
    ? url
    : url.replace(/([?&]sslmode=)(prefer|require|verify-ca)(?=&|$)/, '$1verify-full');

function databaseOf(connection: pg.Pool | pg.PoolClient): Database {
  return {
    query: async (text, params = []) => (await connection.query(text, [...params]).catch(fault)).rows,
    arrays: async (text, params = []) =>
      (await connection.query({ text, values: [...params], rowMode: 'array' }).catch(fault)).rows,
  };
}

function fault(cause: unknown): never {
  const error = cause as Partial<pg.DatabaseError> & Error;
  // Node's own codes (ECONNREFUSED) are no SQLSTATE: those have five characters of A-Z and 0-9.
  const sqlState = /^[0-9A-Z]{5}$/.test(error.code ?? '') ? error.code : undefined;
  throw new DatabaseFault(error.message, { sqlState, cause });
}
