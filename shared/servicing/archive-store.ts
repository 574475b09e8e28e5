// The servicing slice's SQL for reading the archive again and holding it beside what is live. All of it runs in the
// caller's transaction, whose locks or snapshot make the two sides of one moment.

import type { Database } from '../database.ts';
import type { AggregateKey, AggregateKind } from './event-type.ts';
import type { Row, RowList, Rules } from './projection.ts';
import { projections } from './projections.ts';
import type { State } from './registers.ts';
import type { WrappedKey } from './vault.ts';

/** An event as the archive has it. */
export interface ArchivedEvent {
  eventId: string;
  type: string;
  aggregate: string;
  subject: string;
  version: string;
  facts: string;
  sealed: Uint8Array | null;
  /** Null: the subject was erased. Undefined: there is no such subject, which is a fault when something is sealed. */
  key: WrappedKey | null | undefined;
  /** Where the row is, for writing to it in the same transaction. */
  table: string;
  place: string;
}

interface KeptRow {
  event_id: string;
  type: string;
  aggregate: string;
  subject: string;
  version: string;
  facts: string;
  sealed: Uint8Array | null;
  known: boolean;
  master: string | null;
  wrapped: Uint8Array | null;
  tableoid: string;
  ctid: string;
}

const keptColumns = `e.event_id, e.type, e.aggregate, e.subject, e.version, e.facts::text as facts, e.sealed,
  k.subject is not null as known, k.master, k.wrapped, e.tableoid::text as tableoid, e.ctid::text as ctid`;
const keptTables = 'servicing.events e left join servicing.subject_keys k on k.subject = e.subject';

const keptOf = (row: KeptRow): ArchivedEvent => ({
  eventId: row.event_id,
  type: row.type,
  aggregate: row.aggregate,
  subject: row.subject,
  version: row.version,
  facts: row.facts,
  sealed: row.sealed,
  key: row.known
    ? row.master !== null && row.wrapped !== null
      ? { master: row.master, wrapped: row.wrapped }
      : null
    : undefined,
  table: row.tableoid,
  place: row.ctid,
});

/** Rows are read so many at a time: an aggregate may have more events than there is memory. */
const stepOfEvents = 1_000;

async function* stepwise(
  tx: Database,
  cursor: string,
  select: string,
  params: unknown[],
): AsyncGenerator<ArchivedEvent[]> {
  await tx.query(`declare ${cursor} no scroll cursor for ${select}`, params);
  for (;;) {
    const rows = await tx.query<KeptRow>(`fetch ${stepOfEvents} from ${cursor}`);
    if (rows.length > 0) yield rows.map(keptOf);
    if (rows.length < stepOfEvents) break;
  }
  await tx.query(`close ${cursor}`);
}

/** All that is kept about these aggregates, each event once, in no particular order. */
export const eventsOf = (tx: Database, keys: readonly AggregateKey[]): AsyncGenerator<ArchivedEvent[]> =>
  stepwise(
    tx,
    'events_of',
    `select ${keptColumns} from ${keptTables} where e.aggregate = any ($1::text[])
     union all
     select ${keptColumns} from ${keptTables} where e.related && $1::text[] and e.aggregate <> all ($1::text[])`,
    [keys],
  );

/** Types that the archive has events of that nobody handled when they came. */
export async function unhandledTypes(db: Database): Promise<string[]> {
  // From one to the next, so that it does not read all of them.
  const rows = await db.query<{ aggregate: string }>(
    `with recursive found (aggregate) as (
       select min(aggregate) from servicing.events where aggregate >= 'unhandled:' and aggregate < 'unhandled;'
       union all
       select (select min(e.aggregate) from servicing.events e where e.aggregate > f.aggregate and e.aggregate < 'unhandled;')
       from found f where f.aggregate is not null
     )
     select aggregate from found where aggregate is not null`,
  );
  return rows.map(({ aggregate }) => aggregate.slice('unhandled:'.length));
}

export const unhandledEvents = (tx: Database, type: string): AsyncGenerator<ArchivedEvent[]> =>
  stepwise(tx, 'unhandled', `select ${keptColumns} from ${keptTables} where e.aggregate = $1`, [
    `unhandled:${type}`,
  ]);

export interface NewPlace {
  kept: ArchivedEvent;
  aggregate: AggregateKey;
  related: readonly AggregateKey[];
  facts: string;
}

export async function saveNewPlaces(tx: Database, places: readonly NewPlace[]): Promise<void> {
  if (places.length === 0) return;
  await tx.query(
    `update servicing.events e
     set aggregate = n.aggregate, facts = n.facts::json,
         related = (select array_agg(r) from json_array_elements_text(n.related::json) as r)
     from unnest($1::oid[], $2::tid[], $3::text[], $4::text[], $5::text[], $6::text[])
       as n (in_table, place, event_id, aggregate, related, facts)
     where e.tableoid = n.in_table and e.ctid = n.place and e.event_id = n.event_id`,
    [
      places.map(({ kept }) => kept.table),
      places.map(({ kept }) => kept.place),
      places.map(({ kept }) => kept.eventId),
      places.map(({ aggregate }) => aggregate),
      places.map(({ related }) => JSON.stringify(related)),
      places.map(({ facts }) => facts),
    ],
  );
}

/** A page of keys that the archive has, above `after`: of so many aggregates, and not of very many events. */
export async function archivedKeys(
  db: Database,
  kind: AggregateKind,
  after: string,
  limit: { aggregates: number; events: number },
): Promise<AggregateKey[]> {
  const rows = await db.query<{ key: AggregateKey }>(
    `select distinct aggregate as key from (
       select aggregate from servicing.events where aggregate > $1 and aggregate < $2 order by aggregate limit $3
     ) as e order by 1 limit $4`,
    [after, `${kind};`, limit.events, limit.aggregates],
  );
  return rows.map(({ key }) => key);
}

/** Rows of a projection above the id `after`, in the order of ids, and whether the archive has events of their own. */
export async function liveKeys(
  db: Database,
  kind: AggregateKind,
  after: string | undefined,
  limit: number,
): Promise<Array<{ key: AggregateKey; archived: boolean }>> {
  const { table, key } = projections[kind];
  return db.query(
    `select '${kind}:' || l.id as key, exists (select from servicing.events e where e.aggregate = '${kind}:' || l.id) as archived
     from (select ${key} as id from servicing.${table} where $1::text is null or ${key} > $1 order by ${key} limit $2) as l
     order by l.id`,
    [after ?? null, limit],
  );
}

/**
 * Aggregates that have no row and that the archive has no events of their own of: others' events tell about them, or a
 * list has lines of them that should not be there.
 */
export async function rowlessKeys(
  db: Database,
  kind: AggregateKind,
  after: string,
  limit: number,
): Promise<AggregateKey[]> {
  const { table, key, lists } = projections[kind];
  const listed = lists.map((list) => [list.table, list.key]);
  if (kind === 'conversation') listed.push(['conversation_entries', 'conversation_id']);
  const sets = [
    `select r from servicing.events e cross join unnest(e.related) as r where e.related is not null and starts_with(r, '${kind}:')`,
    `select target from servicing.identifiers where starts_with(target, '${kind}:')`,
    ...listed.map(([of, its]) => `select distinct '${kind}:' || ${its} from servicing.${of}`),
  ];
  const rows = await db.query<{ key: AggregateKey }>(
    `select s.key collate "C" as key from (${sets.join(' union ')}) as s (key)
     where s.key collate "C" > $1
       and not exists (select from servicing.${table} l where l.${key} = substr(s.key, ${kind.length + 2}))
       and not exists (select from servicing.events o where o.aggregate = s.key)
     order by 1 limit $2`,
    [after, limit],
  );
  return rows.map(({ key: found }) => found);
}

/** So many of the aggregates, by chance. Reads all keys there are. */
export async function someKeys(
  db: Database,
  kinds: readonly AggregateKind[],
  count: number,
): Promise<AggregateKey[]> {
  const sets = kinds.flatMap((kind) => [
    `select aggregate as key from servicing.events where aggregate > '${kind}:' and aggregate < '${kind};'`,
    `select '${kind}:' || ${projections[kind].key} from servicing.${projections[kind].table}`,
  ]);
  const rows = await db.query<{ key: AggregateKey }>(
    `select key from (${sets.join(' union ')}) as k order by random() limit $1`,
    [count],
  );
  return rows.map(({ key }) => key);
}

/** One row that is not as it should be; `live` is null where it is missing, `rebuilt` where it should not be. */
export interface RowDifference {
  key: string[];
  columns: string[];
  live: Array<string | null> | null;
  rebuilt: Array<string | null> | null;
}

/** Which of `rows` are missing in a table or different there. The state is compared as JSON, whatever its order. */
export async function differingRows(
  tx: Database,
  table: string,
  key: readonly string[],
  columns: Readonly<Record<string, string>>,
  rows: readonly Row[],
): Promise<RowDifference[]> {
  if (rows.length === 0) return [];
  const names = Object.keys(columns);
  const others = names.filter((name) => !key.includes(name));
  const comparable = (side: string, name: string) =>
    `${side}.${name}${columns[name] === 'json' ? '::jsonb' : ''}`;
  const asText = (side: string) => others.map((name) => `${side}.${name}::text`).join(', ');
  const differs = others.map((name) => `${comparable('l', name)} is distinct from ${comparable('n', name)}`);
  const found = await tx.query<{
    key: string[];
    there: boolean;
    differs: boolean[];
    live: Array<string | null>;
    rebuilt: Array<string | null>;
  }>(
    `select array[${key.map((name) => `n.${name}::text`).join(', ')}] as key, l.${key[0]} is not null as there,
       array[${differs.join(', ')}] as differs, array[${asText('l')}] as live, array[${asText('n')}] as rebuilt
     from unnest(${names.map((name, i) => `$${i + 1}::${columns[name]}[]`).join(', ')}) as n (${names.join(', ')})
     left join servicing.${table} l on ${key.map((name) => `l.${name} = n.${name}`).join(' and ')}
     where l.${key[0]} is null or ${differs.join(' or ')}`,
    names.map((name) => rows.map((row) => row[name] ?? null)),
  );
  return found.map((row) => {
    const shown = others.map((_, i) => i).filter((i) => !row.there || row.differs[i]);
    const chosen = (values: Array<string | null>) => shown.map((i) => values[i] ?? null);
    return {
      key: row.key,
      columns: shown.map((i) => others[i] as string),
      live: row.there ? chosen(row.live) : null,
      rebuilt: chosen(row.rebuilt),
    };
  });
}

/** What a list has that it should not have, and the other way round. */
export async function differingLists(
  tx: Database,
  { table, key, columns }: Omit<RowList, 'rows'>,
  targets: readonly string[],
  rows: readonly Row[],
): Promise<RowDifference[]> {
  const names = Object.keys(columns);
  const all = [key, ...names];
  const types: Record<string, string> = { [key]: 'text', ...columns };
  const side = (one: string, other: string) =>
    `select ${one === 'live'} as live, d.${key} as key, array[${names.map((name) => `d.${name}::text`).join(', ')}] as values
     from (select * from ${one} except all select * from ${other}) as d`;
  const found = await tx.query<{ live: boolean; key: string; values: Array<string | null> }>(
    `with live as (select ${all.join(', ')} from servicing.${table} where ${key} = any ($1)),
          rebuilt as (select * from unnest(${all.map((name, i) => `$${i + 2}::${types[name]}[]`).join(', ')}) as n (${all.join(', ')}))
     ${side('live', 'rebuilt')} union all ${side('rebuilt', 'live')}`,
    [targets, ...all.map((name) => rows.map((row) => row[name] ?? null))],
  );
  return found.map(({ live, key: target, values }) => ({
    key: [target],
    columns: names,
    live: live ? values : null,
    rebuilt: live ? null : values,
  }));
}

/** Those that have a row. */
export async function rowsAmong(
  tx: Database,
  kind: AggregateKind,
  ids: readonly string[],
): Promise<string[]> {
  const { table, key } = projections[kind];
  const rows = await tx.query<{ id: string }>(
    `select ${key} as id from servicing.${table} where ${key} = any ($1)`,
    [ids],
  );
  return rows.map(({ id }) => id);
}

export const deleteRows = (tx: Database, kind: AggregateKind, ids: readonly string[]): Promise<unknown> =>
  tx.query(`delete from servicing.${projections[kind].table} where ${projections[kind].key} = any ($1)`, [
    ids,
  ]);

interface EntryName {
  conversationId: string;
  eventId: string;
}

/** Entries of these conversations that are none of those told. */
export async function alienEntries(
  tx: Database,
  conversations: readonly string[],
  told: readonly EntryName[],
): Promise<EntryName[]> {
  return tx.query(
    `select l.conversation_id as "conversationId", l.event_id as "eventId" from servicing.conversation_entries l
     where l.conversation_id = any ($1) and not exists (
       select from unnest($2::text[], $3::text[]) as n (conversation_id, event_id)
       where n.conversation_id = l.conversation_id and n.event_id = l.event_id)`,
    [conversations, told.map(({ conversationId }) => conversationId), told.map(({ eventId }) => eventId)],
  );
}

export const deleteEntries = (tx: Database, entries: readonly EntryName[]): Promise<unknown> =>
  tx.query(
    `delete from servicing.conversation_entries l using unnest($1::text[], $2::text[]) as n (conversation_id, event_id)
     where n.conversation_id = l.conversation_id and n.event_id = l.event_id`,
    [entries.map(({ conversationId }) => conversationId), entries.map(({ eventId }) => eventId)],
  );

/** The row of an aggregate with its key and state, and its columns. */
export const wholeRow = (kind: AggregateKind, id: string, state: State, rules: Rules): Row => ({
  [projections[kind].key]: id,
  state: JSON.stringify(state),
  ...projections[kind].row(state, rules),
});

export const wholeColumns = (kind: AggregateKind): Readonly<Record<string, string>> => ({
  [projections[kind].key]: 'text',
  state: 'json',
  ...projections[kind].columns,
});

export interface RebuildProgress {
  doneUpTo: string | null;
  aggregates: number;
  events: number;
  startedAt: Date;
}

/** Where a rebuild that was stopped goes on; a new one when it is over, or when it is to begin anew. */
export async function beginRebuild(
  db: Database,
  projection: string,
  restart: boolean,
): Promise<RebuildProgress> {
  const [row] = await db.query<{
    done_up_to: string | null;
    aggregates: string;
    events: string;
    started_at: Date;
  }>(
    `insert into servicing.rebuilds as known (projection) values ($1)
     on conflict (projection) do update set
       done_up_to = case when $2 or known.finished_at is not null then null else known.done_up_to end,
       aggregates = case when $2 or known.finished_at is not null then 0 else known.aggregates end,
       events = case when $2 or known.finished_at is not null then 0 else known.events end,
       started_at = case when $2 or known.finished_at is not null then now() else known.started_at end,
       finished_at = null
     returning done_up_to, aggregates, events, started_at`,
    [projection, restart],
  );
  if (!row) throw new Error('the progress of a rebuild is always written');
  return {
    doneUpTo: row.done_up_to,
    aggregates: Number(row.aggregates),
    events: Number(row.events),
    startedAt: row.started_at,
  };
}

export const saveProgress = (
  tx: Database,
  projection: string,
  { doneUpTo, aggregates, events }: Omit<RebuildProgress, 'startedAt'>,
): Promise<unknown> =>
  tx.query(
    'update servicing.rebuilds set done_up_to = $2, aggregates = $3, events = $4 where projection = $1',
    [projection, doneUpTo, aggregates, events],
  );

export const finishRebuild = (db: Database, projection: string): Promise<unknown> =>
  db.query('update servicing.rebuilds set finished_at = now() where projection = $1', [projection]);
