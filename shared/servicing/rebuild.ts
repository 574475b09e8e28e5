// Rebuilds projections from the archive while events are folded: each page of aggregates is locked like a fold locks
// them, folded anew, and corrected where it is not what came out. What is right is not written again. Stopped anywhere,
// it goes on after the last page that was committed.

import type { Database, TransactionalDatabase } from '../database.ts';
import { aggregatePages } from './aggregate-pages.ts';
import {
  beginRebuild,
  finishRebuild,
  type NewPlace,
  saveNewPlaces,
  saveProgress,
  unhandledEvents,
  unhandledTypes,
} from './archive-store.ts';
import type { AggregateKey } from './event-type.ts';
import { typeOf } from './event-types.ts';
import type { Tools } from './fold-batch.ts';
import { kindsOf, type ProjectionGroup, projections } from './projections.ts';
import { readKept, refold } from './refold.ts';
import { lockForFolding, splitKey } from './store.ts';

export interface Rebuilding {
  aggregates: number;
  events: number;
  /** Since this call began, as are the following. */
  corrected: number;
  unreadable: number;
}

/**
 * Yields how far it is after each page, first where it begins; the caller may stop it there. Of one projection only one
 * may run at a time: the caller sees to that. Throws DatabaseFault, after which it can be called again.
 */
export async function* rebuild(
  db: TransactionalDatabase,
  group: ProjectionGroup,
  tools: Tools,
  { restart }: { restart: boolean },
): AsyncGenerator<Rebuilding, void> {
  const begun = await beginRebuild(db, group, restart);
  const done: Rebuilding = {
    aggregates: begun.aggregates,
    events: begun.events,
    corrected: 0,
    unreadable: 0,
  };
  yield { ...done };
  for await (const { keys, position } of aggregatePages(db, kindsOf([group]), begun.doneUpTo)) {
    const page = await db.transaction(async (tx) => {
      const { events, corrected, unreadable } = await rebuildAggregates(tx, keys, tools);
      const progress = {
        doneUpTo: position,
        aggregates: done.aggregates + keys.length,
        events: done.events + events,
      };
      await saveProgress(tx, group, progress);
      return { events, corrected, unreadable };
    });
    done.aggregates += keys.length;
    done.events += page.events;
    done.corrected += page.corrected;
    done.unreadable += page.unreadable;
    yield { ...done };
  }
  await finishRebuild(db, group);
}

/** In the caller's transaction; waits for the aggregates' turn. */
export async function rebuildAggregates(
  tx: Database,
  keys: readonly AggregateKey[],
  tools: Tools,
): Promise<{ events: number; corrected: number; unreadable: number }> {
  await lockForFolding(tx, [...keys].sort());
  const corrected = new Set<AggregateKey>();
  const refolded = await refold(tx, keys, tools, {
    corrects: true,
    found: ({ aggregate }) => corrected.add(aggregate),
  });
  return { ...refolded, corrected: corrected.size };
}

export interface TakenUp {
  events: number;
  /** Those whose aggregates the events are about: all of these want to be rebuilt. */
  groups: ProjectionGroup[];
  /** They are of types that are handled, and cannot be read as what they say they are. */
  unreadable: number;
}

/**
 * Events of types that nobody handled when they came and that are handled now get their aggregates; rebuilding these
 * folds them. A transaction for each type. Nothing of an erased person is left that could be read.
 */
export async function takeUpUnhandled(db: TransactionalDatabase, tools: Tools): Promise<TakenUp> {
  const taken = { events: 0, unreadable: 0 };
  const groups = new Set<ProjectionGroup>();
  for (const type of await unhandledTypes(db)) {
    if (!typeOf(type)) continue;
    await db.transaction(async (tx) => {
      for await (const some of unhandledEvents(tx, type)) {
        const places: NewPlace[] = [];
        for (const kept of some) {
          const read = readKept(kept, tools);
          // Of an erased person nothing is left to say what it was about.
          if (!read.ok) taken.unreadable += kept.key ? 1 : 0;
          else {
            const { related, facts } = read.value;
            places.push({ kept, aggregate: read.value.aggregate as AggregateKey, related, facts });
          }
        }
        await saveNewPlaces(tx, places);
        taken.events += places.length;
        for (const { aggregate, related } of places)
          for (const key of [aggregate, ...related]) groups.add(projections[splitKey(key)[0]].group);
      }
    });
  }
  return { ...taken, groups: [...groups] };
}
