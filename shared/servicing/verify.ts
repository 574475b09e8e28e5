// Holds live projections beside what the archive gives, and writes nothing: each page is read in one snapshot, so that
// events may be folded meanwhile and make no difference.

import type { TransactionalDatabase } from '../database.ts';
import { aggregatePages, pageLimit } from './aggregate-pages.ts';
import { someKeys } from './archive-store.ts';
import type { AggregateKey, AggregateKind } from './event-type.ts';
import type { Tools } from './fold-batch.ts';
import { type Difference, type Refolded, refold } from './refold.ts';

/** Yields how much it has looked at after each page. With `sample` that is so many aggregates, chosen by chance. */
export async function* verify(
  db: TransactionalDatabase,
  kinds: readonly AggregateKind[],
  tools: Tools,
  { found, sample }: { found(difference: Difference): void; sample?: number | undefined },
): AsyncGenerator<Refolded & { aggregates: number }, void> {
  const pages =
    sample === undefined ? aggregatePages(db, kinds, null) : inPages(await someKeys(db, kinds, sample));
  for await (const { keys } of pages) {
    const page = await db.transaction(async (tx) => {
      await tx.query('set transaction isolation level repeatable read, read only');
      return refold(tx, keys, tools, { corrects: false, found });
    });
    yield { ...page, aggregates: keys.length };
  }
}

function* inPages(keys: AggregateKey[]): Generator<{ keys: AggregateKey[] }> {
  for (let i = 0; i < keys.length; i += pageLimit.aggregates)
    yield { keys: keys.slice(i, i + pageLimit.aggregates) };
}
