// Folds aggregates anew from the archive and holds what comes out beside what is live: rebuilding writes the
// difference, verifying tells it, erasing leaves what the facts still give. One reading for all three, so that what one
// of them finds right the others do.

import type { Database } from '../database.ts';
import { ok, type Result } from '../result.ts';
import {
  type ArchivedEvent,
  alienEntries,
  deleteEntries,
  deleteRows,
  differingLists,
  differingRows,
  eventsOf,
  type RowDifference,
  rowsAmong,
  wholeColumns,
  wholeRow,
} from './archive-store.ts';
import { type AggregateKey, type AggregateKind, aggregateKinds } from './event-type.ts';
import { entriesOf, foldAll, type Tools } from './fold-batch.ts';
import type { Row, RowList } from './projection.ts';
import { projections } from './projections.ts';
import { keyOf, type ReadEvent, readArchived, readEvent } from './read-event.ts';
import { emptyState, type State, timeOf } from './registers.ts';
import { entryColumns, entryRow, identifierList, replace, splitKey, upsert } from './store.ts';

export interface Difference extends Omit<RowDifference, 'key'> {
  aggregate: AggregateKey;
  table: string;
  /** Of a line of a conversation: its event. */
  line: string | null;
}

export interface Refolded {
  events: number;
  /** Events that say nothing, because they can no longer be read. */
  unreadable: number;
}

export interface Refolding {
  corrects: boolean;
  found(difference: Difference): void;
}

/** What was read of an event before it was kept; what its facts give where its subject was erased. */
export function readKept(kept: ArchivedEvent, { vault, rules }: Tools): Result<ReadEvent, string> {
  const { eventId, type, sealed, key } = kept;
  if (sealed && key === undefined) throw new Error(`the key of the subject of event ${eventId} is missing`);
  const text = sealed && key ? vault.open(key, sealed, eventId) : kept.facts;
  const read = readEvent(readArchived({ eventId, type, time: timeOf(kept.version) }, text), rules);
  return read.ok ? ok({ ...read.value, subject: kept.subject }) : read;
}

/**
 * In the caller's transaction, which holds the aggregates' locks when it `corrects`, and else has one snapshot. Memory
 * is that of the states, and of the names of conversations' lines, not that of the events.
 */
export async function refold(
  tx: Database,
  keys: readonly AggregateKey[],
  tools: Tools,
  refolding: Refolding,
): Promise<Refolded> {
  const wanted = new Set(keys);
  const states = new Map<AggregateKey, State>();
  const lines: Array<{ conversationId: string; eventId: string }> = [];
  let events = 0;
  let unreadable = 0;
  for await (const some of eventsOf(tx, keys)) {
    events += some.length;
    const batch: Array<{ read: ReadEvent }> = [];
    for (const kept of some) {
      const read = readKept(kept, tools);
      if (!read.ok) unreadable += 1;
      else {
        const claims = read.value.claims.filter((claim) => wanted.has(keyOf(claim)));
        batch.push({ read: { ...read.value, claims } });
      }
    }
    for (const [key, state] of foldAll(states, batch)) states.set(key, state);
    const entries = batch.flatMap(({ read }) => entriesOf(read));
    lines.push(...entries.map(({ conversationId, eventId }) => ({ conversationId, eventId })));
    await compareEntries(tx, entries.map(entryRow), refolding);
  }
  await compareAliens(tx, keys, lines, refolding);
  for (const kind of aggregateKinds) {
    const ids = keys.map(splitKey).flatMap(([its, id]) => (its === kind ? [id] : []));
    if (ids.length > 0) await compareKind(tx, kind, ids, states, tools, refolding);
  }
  return { events, unreadable };
}

const entryKey = ['conversation_id', 'event_id'];

async function compareEntries(tx: Database, rows: Row[], { corrects, found }: Refolding): Promise<void> {
  const wrong = await differingRows(tx, 'conversation_entries', entryKey, entryColumns, rows);
  if (corrects && wrong.length > 0) {
    const names = new Set(wrong.map(({ key }) => JSON.stringify(key)));
    const right = rows.filter((row) => names.has(JSON.stringify([row.conversation_id, row.event_id])));
    await upsert(tx, 'conversation_entries', entryColumns, entryKey, right);
  }
  for (const { key, ...difference } of wrong) {
    const [conversationId, line = null] = key;
    const aggregate = `conversation:${conversationId}` as const;
    found({ aggregate, table: 'conversation_entries', line, ...difference });
  }
}

async function compareAliens(
  tx: Database,
  keys: readonly AggregateKey[],
  lines: ReadonlyArray<{ conversationId: string; eventId: string }>,
  { corrects, found }: Refolding,
): Promise<void> {
  const conversations = keys.map(splitKey).flatMap(([kind, id]) => (kind === 'conversation' ? [id] : []));
  if (conversations.length === 0) return;
  const aliens = await alienEntries(tx, conversations, lines);
  if (corrects && aliens.length > 0) await deleteEntries(tx, aliens);
  for (const { conversationId, eventId } of aliens)
    found({ ...superfluous(`conversation:${conversationId}`, 'conversation_entries'), line: eventId });
}

const superfluous = (aggregate: AggregateKey, table: string): Difference => ({
  aggregate,
  table,
  line: null,
  columns: [],
  live: [],
  rebuilt: null,
});

/** The rows of a kind, their lists and their other names. */
async function compareKind(
  tx: Database,
  kind: AggregateKind,
  ids: readonly string[],
  states: ReadonlyMap<AggregateKey, State>,
  { rules }: Tools,
  { corrects, found }: Refolding,
): Promise<void> {
  const { table, key, lists, identifiers } = projections[kind];
  const known = new Map<string, State>();
  for (const id of ids) {
    const state = states.get(`${kind}:${id}`);
    if (state) known.set(id, state);
  }
  const tell = (id: string, difference: Omit<Difference, 'aggregate' | 'line'>) =>
    found({ aggregate: `${kind}:${id}`, line: null, ...difference });

  const rows = new Map([...known].map(([id, state]) => [id, wholeRow(kind, id, state, rules)]));
  const columns = wholeColumns(kind);
  const wrong = await differingRows(tx, table, [key], columns, [...rows.values()]);
  const alien = await rowsAmong(
    tx,
    kind,
    ids.filter((id) => !known.has(id)),
  );
  if (corrects && wrong.length > 0) {
    const right = wrong.map((one) => rows.get(one.key[0] as string) as Row);
    await upsert(tx, table, columns, [key], right);
  }
  if (corrects && alien.length > 0) await deleteRows(tx, kind, alien);
  for (const { key: name, ...difference } of wrong) tell(name[0] as string, { table, ...difference });
  for (const id of alien) found(superfluous(`${kind}:${id}`, table));

  const compareList = async (
    list: Omit<RowList, 'rows'>,
    nameOf: (id: string) => string,
    rowsOf: (id: string, state: State) => Row[],
  ) => {
    const idsByName = new Map(ids.map((id) => [nameOf(id), id]));
    const rowsByName = new Map(
      [...known].map(([id, state]) => {
        const name = nameOf(id);
        return [name, rowsOf(id, state).map((row): Row => ({ [list.key]: name, ...row }))];
      }),
    );
    const differing = await differingLists(tx, list, [...idsByName.keys()], [...rowsByName.values()].flat());
    const names = [...new Set(differing.map((one) => one.key[0] as string))];
    if (corrects && names.length > 0) {
      await replace(
        tx,
        list,
        names.map((name) => ({ id: name, wasThere: true, rows: rowsByName.get(name) ?? [] })),
      );
    }
    for (const { key: name, ...difference } of differing)
      tell(idsByName.get(name[0] as string) as string, { table: list.table, ...difference });
  };
  for (const list of lists)
    await compareList(
      list,
      (id) => id,
      (_, state) => list.rows(state),
    );
  if (hasIdentifiers(kind)) await compareList(identifierList, (id) => `${kind}:${id}`, identifiers);
}

/** Kinds without other names would be looked for in vain. */
const hasIdentifiers = (kind: AggregateKind) => projections[kind].identifiers('x', emptyState).length > 0;
