// One pool of real Postgres connections per connection string, so that its user, password and settings really apply.
// At most 32 strings at a time: the one unused for longest makes room. Connections unused for ten seconds are closed,
// and a pool with its last one. Values stay Postgres' own text. Refuses when every pool is busy or a queue is too long.

import { connect } from 'node:net';
import pg from 'pg';
import { Refusal } from './door.ts';

const limits = { pools: 32, waiting: 1_000, connectMs: 3_000, idleMs: 10_000, cancelMs: 1_000 };

const asText = { getTypeParser: () => (value: string) => value };

export class PostgresPools {
  readonly #pools = new Map<string, pg.Pool>();
  readonly #maxConnections: number;

  constructor(maxConnections: number) {
    this.#maxConnections = maxConnections;
  }

  /** A connection for the caller alone until released. Throws within seconds when there is none. */
  async connect(connectionString: string): Promise<pg.PoolClient> {
    const pool = this.#poolFor(connectionString);
    if (pool.waitingCount >= limits.waiting) throw new Refusal(503, 'too many calls wait for a connection');
    return pool.connect();
  }

  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.end()));
  }

  #poolFor(connectionString: string): pg.Pool {
    const known = this.#pools.get(connectionString);
    // The map is kept in the order of use.
    this.#pools.delete(connectionString);
    const pool = known ?? this.#open(connectionString);
    this.#pools.set(connectionString, pool);
    return pool;
  }

  #open(connectionString: string): pg.Pool {
    if (this.#pools.size >= limits.pools) this.#closeOldest();
    const pool = new pg.Pool({
      connectionString,
      max: this.#maxConnections,
      connectionTimeoutMillis: limits.connectMs,
      idleTimeoutMillis: limits.idleMs,
      pipeline: true,
      types: asText as unknown as pg.CustomTypesConfig,
    });
    // A lost connection fails the call that uses it; an idle one is replaced. Without listeners both would be fatal.
    pool.on('error', () => {});
    pool.on('connect', (client) => client.on('error', () => {}));
    pool.on('remove', () => {
      if (isUnused(pool) && pool.totalCount === 0) this.#forget(connectionString, pool);
    });
    return pool;
  }

  #closeOldest(): void {
    const oldest = [...this.#pools].find(([, pool]) => isUnused(pool));
    if (!oldest) {
      throw new Refusal(503, `${limits.pools} connection strings are in use at once; no room for another`);
    }
    this.#forget(...oldest);
  }

  #forget(connectionString: string, pool: pg.Pool): void {
    if (this.#pools.get(connectionString) !== pool) return;
    this.#pools.delete(connectionString);
    pool.end().catch(() => {});
  }
}

const isUnused = (pool: pg.Pool) => pool.totalCount === pool.idleCount && pool.waitingCount === 0;

/**
 * Stops what the connection is doing: asks Postgres to cancel it, the way psql does on Ctrl-C, then drops the
 * connection. The statement may still have committed: as with any lost connection, the caller cannot know.
 */
export function cancel(client: pg.PoolClient): void {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const request = Buffer.alloc(16);
  request.writeInt32BE(request.length, 0);
  request.writeInt32BE(cancelRequestCode, 4);
  request.writeInt32BE(processID, 8);
  request.writeInt32BE(secretKey, 12);
  const socket = connect({ host: client.host, port: client.port });
  socket.setTimeout(limits.cancelMs, () => socket.destroy());
  socket.on('error', () => {});
  // Postgres closes the socket once it has passed the request on.
  socket.on('close', () => client.connection.stream.destroy());
  socket.end(request).resume();
}

/** 1234 and 5678 in two halves; see "CancelRequest" in PostgreSQL's message formats. */
const cancelRequestCode = 80_877_102;
