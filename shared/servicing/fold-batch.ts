// Folds a batch of events in the caller's transaction: what it touches is locked and loaded, each event takes its step,
// and ids, archive and projections are written together. What makes an effect happen once is the primary key of
// servicing.event_ids; a repetition, a crash before the acknowledgement and a replay all end there.
//
// One aggregate is folded by one transaction at a time: each holds advisory locks on the aggregates it touches, taken in
// order, until it ends. Erasing a person takes all folds' shared lock alone, so that no event is sealed meanwhile.

import type { Database } from '../database.ts';
import type { StreamEvent } from '../stream/envelope.ts';
import type { AggregateKey, Business, Claim } from './event-type.ts';
import type { Rules } from './projection.ts';
import { keyOf, type ReadEvent, readArchived, readEvent, writeWhole } from './read-event.ts';
import { emptyState, type State, take, type Values, versionOf } from './registers.ts';
import {
  archive,
  type EntryRow,
  erasedHash,
  forgetHashes,
  hashesOf,
  insertEventIds,
  insertSubjectKeys,
  loadStates,
  lockForFolding,
  saveAggregates,
  saveEntries,
  subjectKeys,
} from './store.ts';
import type { Vault, WrappedKey } from './vault.ts';

export interface Incoming {
  /** The stream it came from. */
  source: string;
  read: ReadEvent;
}

/** `conflict`: another event has this id. Nothing was done then. */
export type Folded = 'folded' | 'duplicate' | 'conflict';

export interface Tools {
  vault: Vault;
  rules: Rules;
}

/** Answers one outcome for each, in order. Throws DatabaseFault, and then nothing is done. */
export async function foldBatch(tx: Database, batch: readonly Incoming[], tools: Tools): Promise<Folded[]> {
  const keys = new Set(batch.flatMap(({ read }) => [read.aggregate, ...read.related]));
  await lockForFolding(tx, [...keys].sort());
  const { outcomes, fresh } = await deduplicate(tx, batch);
  if (fresh.length === 0) return outcomes;

  const keysBySubject = await keysFor(tx, fresh, tools.vault);
  // What an erased person is said to be is not kept again; what names nobody is.
  const known = fresh.map((incoming) =>
    keysBySubject.get(incoming.read.subject)
      ? incoming
      : { ...incoming, read: impersonal(incoming.read, tools.rules) },
  );
  const before = await loadStates(tx, claimed(known));
  const after = foldAll(before, known);
  await archive(
    tx,
    known.map(({ source, read }) => ({
      source,
      read,
      sealed: seal(read, keysBySubject.get(read.subject), tools.vault),
    })),
  );
  const erased = known.filter(({ read }) => !keysBySubject.get(read.subject));
  if (erased.length > 0)
    await forgetHashes(
      tx,
      erased.map(({ read }) => read.event.id),
    );
  await saveAggregates(tx, before, after, tools.rules);
  await saveEntries(
    tx,
    known.flatMap(({ read }) => entriesOf(read)),
  );
  return outcomes;
}

const claimed = (batch: readonly Incoming[]): AggregateKey[] => [
  ...new Set(batch.flatMap(({ read }) => read.claims.map(keyOf))),
];

/** Pure: the states after all of the events, by aggregate. */
export function foldAll(
  before: ReadonlyMap<AggregateKey, State>,
  batch: readonly Pick<Incoming, 'read'>[],
): Map<AggregateKey, State> {
  const states = new Map<AggregateKey, State>();
  for (const { read } of batch) {
    for (const claim of read.claims) {
      const key = keyOf(claim);
      const state = states.get(key) ?? before.get(key) ?? emptyState;
      states.set(key, take(state, stepOf(read, claim)));
    }
  }
  return states;
}

const stepOf = ({ event }: ReadEvent, claim: Claim) => ({
  version: versionOf(claim.order ?? event.time, event.id),
  creation: claim.creation === true,
  // Undefined ones were left out when it was read.
  values: claim.values as Values,
});

export const entriesOf = ({ event, claims }: ReadEvent): EntryRow[] =>
  claims.flatMap(({ id, entry }) =>
    entry
      ? [{ ...entry, conversationId: id, eventId: event.id, version: versionOf(event.time, event.id) }]
      : [],
  );

const seal = ({ event }: ReadEvent, key: WrappedKey | null | undefined, vault: Vault): Uint8Array | null =>
  key ? vault.seal(key, writeWhole(event), event.id) : null;

/** What is left of an event when nothing personal may be kept: its facts, read again. */
export function impersonal(read: ReadEvent, business: Business): ReadEvent {
  const { id, type, time, payloadHash } = read.event;
  const event = { ...readArchived({ eventId: id, type, time }, read.facts), payloadHash };
  const left = readEvent(event, business);
  if (!left.ok) throw new Error(`the facts of ${type} are not enough to read it: ${left.refusal}`);
  return { ...left.value, subject: read.subject };
}

/** The keys of all subjects, new ones where there were none; null for those who were erased. */
async function keysFor(
  tx: Database,
  batch: readonly Incoming[],
  vault: Vault,
): Promise<Map<string, WrappedKey | null>> {
  const subjects = [...new Set(batch.map(({ read }) => read.subject))].sort();
  const keys = await subjectKeys(tx, subjects);
  const missing = subjects.filter((subject) => !keys.has(subject));
  if (missing.length === 0) return keys;
  await insertSubjectKeys(
    tx,
    missing.map((subject) => [subject, vault.newKey()]),
  );
  // Another fold may have been first: its keys count.
  for (const [subject, key] of await subjectKeys(tx, missing)) keys.set(subject, key);
  return keys;
}

async function deduplicate(tx: Database, batch: readonly Incoming[]) {
  const events = batch.map(({ read }) => read.event);
  // By position: a batch may hold the same object twice.
  const firsts = new Map<string, number>();
  for (const [n, { id }] of events.entries()) if (!firsts.has(id)) firsts.set(id, n);
  const firstEvents = [...firsts.values()].map((n) => events[n] as StreamEvent);
  const inserted = await insertEventIds(tx, firstEvents);
  const others = [...firsts.keys()].filter((id) => !inserted.has(id));
  const hashes = others.length > 0 ? await hashesOf(tx, others) : new Map<string, string>();
  for (const { id, payloadHash } of firstEvents) if (inserted.has(id)) hashes.set(id, payloadHash);
  const outcomes = events.map(({ id, payloadHash }, n): Folded => {
    if (firsts.get(id) === n && inserted.has(id)) return 'folded';
    const known = hashes.get(id);
    return known === payloadHash || known === erasedHash ? 'duplicate' : 'conflict';
  });
  return { outcomes, fresh: batch.filter((_, n) => outcomes[n] === 'folded') };
}
