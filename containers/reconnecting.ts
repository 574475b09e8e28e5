// A connection that is opened by its first use, and after any fault thrown away and opened anew by the next one:
// a client that has seen a fault may hold half-sent requests, stale sequence numbers or a growing queue, and telling
// which is not worth it. Every use has a limit.

import { within } from './time-limit.ts';

export interface Recipe<Connection> {
  /** Makes a connection that is not open yet; it calls `lost` when it is of no use any more. */
  create(lost: () => void): Connection;
  open(connection: Connection): Promise<unknown>;
  /** Frees it at whatever stage it is. May be called twice. */
  discard(connection: Connection): unknown;
}

export interface Reconnecting<Connection> {
  /** Opens where needed, then works; both together within the limit. Throws what they throw, or TimeLimitFault. */
  use<T>(limitMs: number, work: (connection: Connection) => Promise<T>): Promise<T>;
  /** Discards the connection, waiting at most `limitMs` for it. Does not throw. */
  close(limitMs: number): Promise<void>;
}

export function reconnecting<Connection>(recipe: Recipe<Connection>): Reconnecting<Connection> {
  let current: { connection: Connection; opened: Promise<unknown> } | undefined;
  const discard = async (connection: Connection) => recipe.discard(connection);

  const start = () => {
    const connection = recipe.create(() => {
      if (current?.connection === connection) current = undefined;
    });
    current = { connection, opened: recipe.open(connection) };
    return current;
  };

  return {
    async use(limitMs, work) {
      const used = current ?? start();
      const working = used.opened.then(() => work(used.connection));
      try {
        return await within(limitMs, working);
      } catch (error) {
        if (current === used) current = undefined;
        discard(used.connection).catch(() => {});
        // What went on beyond its limit may have reconnected meanwhile.
        const discardAgain = () => discard(used.connection);
        working.then(discardAgain, discardAgain).catch(() => {});
        throw error;
      }
    },
    async close(limitMs) {
      const last = current;
      current = undefined;
      if (last) await within(limitMs, discard(last.connection)).catch(() => {});
    },
  };
}
