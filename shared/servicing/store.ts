// The servicing slice's SQL of folding; that of reading the archive again is in archive-store.ts, that of erasing in
// erasure-store.ts. Statements about projections are made from what projections.ts says of them.

import type { Database } from '../database.ts';
import type { StreamEvent } from '../stream/envelope.ts';
import { binaryArray } from './binary-array.ts';
import { type AggregateKey, type AggregateKind, aggregateKinds, type Entry } from './event-type.ts';
import { type Columns, jsonText, type Row, type RowList, type Rules } from './projection.ts';
import { projections } from './projections.ts';
import type { ReadEvent } from './read-event.ts';
import { toMicroseconds } from './reading.ts';
import { emptyState, type State, versionOf } from './registers.ts';
import type { WrappedKey } from './vault.ts';

const texts = (values: ReadonlyArray<string | null>) => binaryArray('text', values);

/**
 * Waits for the aggregates' turn; the keys must be sorted, so that no two folds wait for each other. In this transaction
 * waiting for a lock ends before the limit on statements does, so that the two are told apart.
 */
export async function lockForFolding(tx: Database, keys: readonly string[]): Promise<void> {
  await tx.query(
    `select case when set_config('lock_timeout',
         (800 * extract(epoch from current_setting('statement_timeout')::interval))::int::text, true) is not null
       then pg_advisory_xact_lock_shared(hashtextextended('servicing.erasure', 0)) end
     union all select pg_advisory_xact_lock(hashtextextended('servicing ' || key, 0)) from unnest($1::text[]) as key`,
    [texts(keys)],
  );
}

/** The ids that were not there yet. */
export async function insertEventIds(tx: Database, events: readonly StreamEvent[]): Promise<Set<string>> {
  const sorted = events.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const rows = await tx.query<{ event_id: string }>(
    `insert into servicing.event_ids (event_id, payload_hash)
     select id, hash::uuid from unnest($1::text[], $2::text[]) as new (id, hash)
     on conflict do nothing returning event_id`,
    [texts(sorted.map(({ id }) => id)), texts(sorted.map(({ payloadHash }) => payloadHash))],
  );
  return new Set(rows.map((row) => row.event_id));
}

export async function hashesOf(tx: Database, ids: readonly string[]): Promise<Map<string, string>> {
  const rows = await tx.query<{ event_id: string; payload_hash: string }>(
    'select event_id, payload_hash from servicing.event_ids where event_id = any ($1)',
    [ids],
  );
  return new Map(rows.map((row) => [row.event_id, row.payload_hash]));
}

/** In place of the hash where the subject of an event is erased: whatever comes under its id is a repetition. */
export const erasedHash = '00000000-0000-0000-0000-000000000000';

/** A hash could still tell whether somebody's guess at what was erased is right. */
export async function forgetHashes(tx: Database, ids: readonly string[]): Promise<void> {
  await tx.query('update servicing.event_ids set payload_hash = $2 where event_id = any ($1)', [
    ids,
    erasedHash,
  ]);
}

/** Null for a subject that was erased; none for one that has no key yet. */
export async function subjectKeys(
  tx: Database,
  subjects: readonly string[],
): Promise<Map<string, WrappedKey | null>> {
  const rows = await tx.query<{ subject: string; master: string | null; wrapped: Uint8Array | null }>(
    'select subject, master, wrapped from servicing.subject_keys where subject = any ($1::text[])',
    [texts(subjects)],
  );
  return new Map(
    rows.map(({ subject, master, wrapped }) => [
      subject,
      master !== null && wrapped !== null ? { master, wrapped } : null,
    ]),
  );
}

/** Sorted, like every writer's. */
export async function insertSubjectKeys(
  tx: Database,
  keys: ReadonlyArray<readonly [subject: string, WrappedKey]>,
): Promise<void> {
  await tx.query(
    `insert into servicing.subject_keys (subject, master, wrapped)
     select * from unnest($1::text[], $2::text[], $3::bytea[])
     on conflict do nothing`,
    [
      texts(keys.map(([subject]) => subject)),
      texts(keys.map(([, { master }]) => master)),
      binaryArray(
        'bytea',
        keys.map(([, { wrapped }]) => wrapped),
      ),
    ],
  );
}

export const splitKey = (key: AggregateKey): [kind: AggregateKind, id: string] => {
  const colon = key.indexOf(':');
  return [key.slice(0, colon) as AggregateKind, key.slice(colon + 1)];
};

/** In the order of aggregateKinds, which is the order of parameters below. */
function idsByKind(keys: Iterable<AggregateKey>): Map<AggregateKind, string[]> {
  const ids = new Map<AggregateKind, string[]>();
  for (const key of keys) {
    const [kind, id] = splitKey(key);
    const some = ids.get(kind);
    if (some) some.push(id);
    else ids.set(kind, [id]);
  }
  return ids;
}

export async function loadStates(
  tx: Database,
  keys: readonly AggregateKey[],
): Promise<Map<AggregateKey, State>> {
  const ids = [...idsByKind(keys)];
  if (ids.length === 0) return new Map();
  const selects = ids.map(([kind], n) => {
    const { table, key } = projections[kind];
    return `select '${kind}:' || ${key} as key, state::text from servicing.${table} where ${key} = any ($${n + 1}::text[])`;
  });
  const rows = await tx.query<{ key: AggregateKey; state: string }>(
    selects.join(' union all '),
    ids.map(([, some]) => texts(some)),
  );
  return new Map(rows.map(({ key, state }) => [key, JSON.parse(state)]));
}

export interface Archived {
  source: string;
  read: ReadEvent;
  sealed: Uint8Array | null;
}

const archiveStatement = `
  insert into servicing.events (event_id, type, aggregate, related, subject, version, occurred_at, source, facts, sealed)
  select event_id, type, aggregate, related::text[], subject, version, occurred_at::timestamptz, source, facts::json, sealed
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
              $10::bytea[])
    as new (event_id, type, aggregate, related, subject, version, occurred_at, source, facts, sealed)`;

export async function archive(tx: Database, events: readonly Archived[]): Promise<void> {
  const column = (value: (archived: Archived) => string | null) => texts(events.map(value));
  await tx.query(archiveStatement, [
    column(({ read }) => read.event.id),
    column(({ read }) => read.event.type),
    column(({ read }) => read.aggregate),
    column(({ read }) => (read.related.length > 0 ? arrayText(read.related) : null)),
    column(({ read }) => read.subject),
    column(({ read }) => versionOf(read.event.time, read.event.id)),
    column(({ read }) => (read.event.time ? toMicroseconds(read.event.time) : null)),
    column(({ source }) => source),
    column(({ read }) => read.facts),
    binaryArray(
      'bytea',
      events.map(({ sealed }) => sealed),
    ),
  ]);
}

/** An array within an array: Postgres has no arrays of arrays of different lengths. */
const arrayText = (texts: readonly string[]): string =>
  `{${texts.map((text) => `"${text.replace(/[\\"]/g, '\\$&')}"`).join(',')}}`;

/** Writes what has changed. `before` has the states that were loaded; what is not there is new. */
export async function saveAggregates(
  tx: Database,
  before: ReadonlyMap<AggregateKey, State>,
  after: ReadonlyMap<AggregateKey, State>,
  rules: Rules,
): Promise<void> {
  const changedByKind = new Map<AggregateKind, Array<{ key: AggregateKey; id: string; state: State }>>();
  for (const [key, state] of after) {
    if (state === before.get(key)) continue;
    const [kind, id] = splitKey(key);
    const some = changedByKind.get(kind);
    if (some) some.push({ key, id, state });
    else changedByKind.set(kind, [{ key, id, state }]);
  }
  for (const kind of aggregateKinds) {
    const changed = changedByKind.get(kind);
    if (!changed) continue;
    const { row, columns, table, key, lists } = projections[kind];
    const rows = changed.map(({ id, state }) => ({
      [key]: id,
      state: JSON.stringify(state),
      ...row(state, rules),
    }));
    await upsert(tx, table, { [key]: 'text', state: 'json', ...columns }, [key], rows);
    for (const list of lists) {
      await replace(
        tx,
        list,
        changed.flatMap((one) => replacementOf(one.id, before.get(one.key), one.state, list.key, list.rows)),
      );
    }
    await replace(
      tx,
      identifierList,
      changed.flatMap((one) =>
        replacementOf(one.key, before.get(one.key), one.state, identifierList.key, (state) =>
          projections[kind].identifiers(one.id, state),
        ),
      ),
    );
  }
}

export const identifierList = {
  table: 'identifiers',
  key: 'target',
  columns: { kind: 'text', value: 'text', version: 'text' },
} as const satisfies Omit<RowList, 'rows'>;

interface Replacement {
  id: string;
  wasThere: boolean;
  rows: Row[];
}

/** What a list becomes; nothing when it stays as it is. */
function replacementOf(
  id: string,
  before: State | undefined,
  after: State,
  key: string,
  rowsOf: (state: State) => Row[],
): Replacement[] {
  const old = rowsOf(before ?? emptyState);
  const rows = rowsOf(after);
  if (before && JSON.stringify(old) === JSON.stringify(rows)) return [];
  return [{ id, wasThere: before !== undefined, rows: rows.map((row) => ({ [key]: id, ...row })) }];
}

export async function replace(
  tx: Database,
  { table, key, columns }: Omit<RowList, 'rows'>,
  replacements: readonly Replacement[],
): Promise<void> {
  const gone = replacements.filter(({ wasThere }) => wasThere).map(({ id }) => id);
  if (gone.length > 0)
    await tx.query(`delete from servicing.${table} where ${key} = any ($1::text[])`, [texts(gone)]);
  const rows = replacements.flatMap((replacement) => replacement.rows);
  if (rows.length > 0) await upsert(tx, table, { [key]: 'text', ...columns }, [], rows);
}

export async function upsert(
  tx: Database,
  table: string,
  columns: Readonly<Record<string, string>>,
  key: readonly string[],
  rows: readonly Row[],
): Promise<void> {
  const names = Object.keys(columns);
  const arrays = names.map((_, n) => `$${n + 1}::text[]`);
  const typed = names.map((name) => (columns[name] === 'text' ? name : `${name}::${columns[name]}`));
  const others = names.filter((name) => !key.includes(name));
  const conflict =
    key.length > 0
      ? ` on conflict (${key.join(', ')}) do update set ${others.map((name) => `${name} = excluded.${name}`).join(', ')}`
      : '';
  await tx.query(
    `insert into servicing.${table} (${names.join(', ')})
     select ${typed.join(', ')} from unnest(${arrays.join(', ')}) as new (${names.join(', ')})${conflict}`,
    names.map((name) => texts(rows.map((row) => textOf(row[name])))),
  );
}

const textOf = (value: Row[string] | undefined): string | null =>
  value === undefined || value === null ? null : String(value);

export interface EntryRow extends Entry {
  conversationId: string;
  eventId: string;
  version: string;
}

export const entryColumns: Columns = {
  conversation_id: 'text',
  event_id: 'text',
  kind: 'text',
  version: 'text',
  said_at: 'timestamptz',
  author: 'text',
  content: 'text',
  detail: 'jsonb',
};

export const entryRow = (e: EntryRow): Row => ({
  conversation_id: e.conversationId,
  event_id: e.eventId,
  kind: e.kind,
  version: e.version,
  said_at: e.version.startsWith(' ') ? null : toMicroseconds(e.version),
  author: e.author ?? null,
  content: e.content ?? null,
  detail: jsonText(e.detail),
});

export async function saveEntries(tx: Database, entries: readonly EntryRow[]): Promise<void> {
  if (entries.length > 0) await upsert(tx, 'conversation_entries', entryColumns, [], entries.map(entryRow));
}

export async function saveAttempt(
  db: Database,
  { source, entryId }: { source: string; entryId: string },
  error: string,
): Promise<number> {
  const [row] = await db.query<{ attempts: number }>(
    `insert into servicing.fold_attempts as known (source, entry_id, attempts, last_error) values ($1, $2, 1, $3)
     on conflict (source, entry_id) do update
       set attempts = known.attempts + 1, last_error = excluded.last_error, tried_at = now()
     returning attempts`,
    [source, entryId, error],
  );
  if (!row) throw new Error('an attempt is always counted');
  return row.attempts;
}

export async function forgetAttempts(
  db: Database,
  entries: ReadonlyArray<{ source: string; entryId: string }>,
): Promise<void> {
  await db.query(
    `delete from servicing.fold_attempts
     where (source, entry_id) in (select * from unnest($1::text[], $2::text[]))`,
    [entries.map(({ source }) => source), entries.map(({ entryId }) => entryId)],
  );
}

/** What processes that were killed, or that another one overtook, have left. */
export async function forgetOldAttempts(db: Database): Promise<void> {
  await db.query(`delete from servicing.fold_attempts where tried_at < now() - interval '1 day'`);
}

export async function ensureMonths(db: Database, monthsAhead: number): Promise<number> {
  const [row] = await db.query<{ added: number }>('select servicing.ensure_partitions($1) as added', [
    monthsAhead,
  ]);
  return row?.added ?? 0;
}

export async function countDueDays(db: Database, first: string, last: string): Promise<number> {
  const [row] = await db.query<{ counted: number }>('select servicing.count_due($1, $2) as counted', [
    first,
    last,
  ]);
  return row?.counted ?? 0;
}
