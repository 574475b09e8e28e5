// What tests of folding share: events without an envelope's noise, and a database to fold them in.

import { openPool } from '../../containers/database.ts';
import { openVault } from '../../containers/projector/vault.ts';
import { createTestDatabase } from '../../test/database.ts';
import type { Database } from '../database.ts';
import { readEnvelope, type StreamEvent } from '../stream/envelope.ts';
import { foldBatch, type Incoming } from './fold-batch.ts';
import type { Rules } from './projection.ts';
import { readEvent } from './read-event.ts';

export const rules: Rules = { timeZone: 'Europe/Berlin', currency: 'EUR', balances: 'events' };

let count = 0;

/** In the long spelling; `at` is the envelope's timestamp. */
export function event(
  type: string,
  payload: Record<string, unknown>,
  { id = `e-${++count}`, at, ...others }: Record<string, string | undefined> = {},
): StreamEvent {
  const fields = {
    event_type: type,
    id,
    ...(at === undefined ? {} : { timestamp: at }),
    ...others,
    payload: JSON.stringify(payload),
  };
  const read = readEnvelope(fields as Record<string, string>, rules.timeZone);
  if (!read.ok) throw new Error(read.refusal);
  return read.value;
}

export function incoming(one: StreamEvent, source = 'test'): Incoming {
  const read = readEvent(one, rules);
  if (!read.ok) throw new Error(`${one.type}: ${read.refusal}`);
  return { source, read: read.value };
}

export const tools = { vault: openVault([{ name: 'test', key: new Uint8Array(32).fill(7) }]), rules };

/** A database of its own: as its owner, as the projector, and what folds in it. */
export async function openFolding(connections = 4) {
  const database = await createTestDatabase();
  const pool = { min: 0, max: connections, applicationName: 'test', timeoutMs: 20_000 };
  const owner = openPool({ ...pool, url: database.url });
  const db = openPool({ ...pool, url: database.urlFor('recoup_projector') });
  const foldIn = (tx: Database, ...events: StreamEvent[]) =>
    foldBatch(
      tx,
      events.map((one) => incoming(one)),
      tools,
    );
  return {
    database,
    owner,
    db,
    foldIn,
    /** As one batch. */
    fold: (...events: StreamEvent[]) => db.transaction((tx) => foldIn(tx, ...events)),
    foldRead: (batch: readonly Incoming[]) => db.transaction((tx) => foldBatch(tx, batch, tools)),
    async close() {
      await db.close();
      await owner.close();
      await database.drop();
    },
  };
}
export type Folding = Awaited<ReturnType<typeof openFolding>>;
