// All aggregates of some kinds, page by page, each at least once: those that the archive has, then rows that it has no
// events of their own of, then those without either: others' events tell about them, or lists still do. A page is small enough
// for one transaction; after any page the walk can go on from its position.

import type { Database } from '../database.ts';
import { archivedKeys, liveKeys, rowlessKeys } from './archive-store.ts';
import type { AggregateKey, AggregateKind } from './event-type.ts';

const passes = ['archive', 'live', 'rowless'] as const;
type Pass = (typeof passes)[number];

/** `<pass> <key>`: everything up to there is done. */
export type Position = string;

interface Page {
  keys: AggregateKey[];
  position: Position;
}

export const pageLimit = { aggregates: 200, events: 4_000 };
/** Finding these reads much of the archive, so many are found at once. */
const rowlessAtOnce = 20_000;

export async function* aggregatePages(
  db: Database,
  kinds: readonly AggregateKind[],
  from: Position | null,
): AsyncGenerator<Page> {
  const [donePass, doneKey] = from === null ? [passes[0], ''] : split(from);
  // Kinds in the order of their keys.
  const sorted = kinds.toSorted((a, b) => (`${a}:` < `${b}:` ? -1 : 1));
  for (const pass of passes.slice(passes.indexOf(donePass))) {
    for (const kind of sorted) {
      const isBegun = pass === donePass && doneKey.startsWith(`${kind}:`);
      // Kinds before the one that was begun are done.
      if (pass === donePass && doneKey !== '' && !isBegun && `${kind}:` < doneKey) continue;
      yield* walks[pass](db, kind, isBegun ? (doneKey as AggregateKey) : `${kind}:`);
    }
  }
}

const split = (position: Position): [Pass, string] => {
  const space = position.indexOf(' ');
  return [position.slice(0, space) as Pass, position.slice(space + 1)];
};

const walks: Record<Pass, (db: Database, kind: AggregateKind, after: AggregateKey) => AsyncGenerator<Page>> =
  {
    async *archive(db, kind, after) {
      for (let last = after; ; ) {
        const keys = await archivedKeys(db, kind, last, pageLimit);
        const end = keys.at(-1);
        if (end === undefined) return;
        yield { keys, position: `archive ${end}` };
        last = end;
      }
    },
    async *live(db, kind, after) {
      for (let last = after; ; ) {
        const id = last.slice(kind.length + 1);
        const rows = await liveKeys(db, kind, id === '' ? undefined : id, pageLimit.aggregates);
        const end = rows.at(-1);
        if (end === undefined) return;
        const keys = rows.filter(({ archived }) => !archived).map(({ key }) => key);
        if (keys.length > 0) yield { keys, position: `live ${end.key}` };
        last = end.key;
      }
    },
    async *rowless(db, kind, after) {
      for (let last = after; ; ) {
        const found = await rowlessKeys(db, kind, last, rowlessAtOnce);
        for (let i = 0; i < found.length; i += pageLimit.aggregates) {
          const keys = found.slice(i, i + pageLimit.aggregates);
          last = keys.at(-1) ?? last;
          yield { keys, position: `rowless ${last}` };
        }
        if (found.length < rowlessAtOnce) return;
      }
    },
  };
