// Everything that folding has written, as texts that can be compared: equal for the same events, in whatever order, how
// often and by whomever they were folded; and the run that others are compared with.

import type { Database, TransactionalDatabase } from '../../shared/database.ts';
import { foldBatch, type Incoming, type Tools } from '../../shared/servicing/fold-batch.ts';
import { projections } from '../../shared/servicing/projections.ts';
import { readEvent } from '../../shared/servicing/read-event.ts';
import type { Vault } from '../../shared/servicing/vault.ts';
import { type Fields, readEnvelope } from '../../shared/stream/envelope.ts';

const projected = [
  ...Object.values(projections).flatMap(({ table, lists }) => [table, ...lists.map((list) => list.table)]),
  ...['identifiers', 'conversation_entries'],
];
/** The last two have the attempts and the letters. */
const tables = [
  ...new Set(projected),
  'event_ids',
  'events',
  'subject_keys',
  'fold_attempts',
  'dead_letters',
];

export type Dump = ReadonlyMap<string, readonly string[]>;

/** Empties all that folding writes, and the inbox. */
export async function forgetAll(db: Database): Promise<void> {
  await db.query(`truncate ${[...tables, 'inbox'].map((table) => `servicing.${table}`).join(', ')}`);
}

/** In the order in which they happened, each event once, one batch after the other, and nothing else. */
export async function foldUndisturbed(
  db: TransactionalDatabase,
  entries: readonly Fields[],
  tools: Tools,
): Promise<void> {
  await forgetAll(db);
  const incoming = entries.map((fields): Incoming => {
    const envelope = readEnvelope(fields, tools.rules.timeZone);
    const read = envelope.ok ? readEvent(envelope.value, tools.rules) : envelope;
    if (!read.ok) throw new Error(`a history tells what cannot be read: ${read.refusal}`);
    return { source: 'history', read: read.value };
  });
  for (let at = 0; at < incoming.length; at += 500)
    await db.transaction((tx) => foldBatch(tx, incoming.slice(at, at + 500), tools));
}

/** What differs from run to run is left out: keys, what is sealed with them, the clock, the way in. */
export async function dumpOf(db: Database, vault: Vault): Promise<Dump> {
  const dump = new Map<string, readonly string[]>();
  for (const table of tables) {
    const rows = await db.query<{ row: string }>(
      `select (to_jsonb(t) - '{archived_at,source,sealed,master,wrapped}'::text[])::text as row
       from servicing.${table} t order by 1`,
    );
    dump.set(
      table,
      rows.map(({ row }) => row),
    );
  }
  const archived = await db.query<{ id: string; sealed: Uint8Array; master: string; wrapped: Uint8Array }>(
    `select e.event_id as id, e.sealed, k.master, k.wrapped
     from servicing.events e join servicing.subject_keys k using (subject) order by e.event_id`,
  );
  dump.set(
    'what is sealed',
    archived.map(({ id, sealed, ...key }) => `${id} ${vault.open(key, sealed, id)}`),
  );
  return dump;
}

/** A line for every row that only one of them has, at most `limit` of each table. */
export function differences(is: Dump, should: Dump, limit = 3): string[] {
  return [...should].flatMap(([table, rows]) => {
    const there = is.get(table) ?? [];
    const lacking = without(rows, there).map((row) => `${table} lacks ${row}`);
    const surplus = without(there, rows).map((row) => `${table} has ${row}`);
    return [...lacking.slice(0, limit), ...surplus.slice(0, limit)];
  });
}

/** Rows that are there twice are taken away once each. */
function without(rows: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const other of others) left.set(other, (left.get(other) ?? 0) + 1);
  return rows.filter((row) => {
    const count = left.get(row) ?? 0;
    left.set(row, count - 1);
    return count <= 0;
  });
}
