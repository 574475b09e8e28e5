// Holds live projections beside what the archive gives, and writes nothing: each page is read in one snapshot, so that
// events may be folded meanwhile and make no difference.

import type { TransactionalDatabase } from '../database.ts';
import { aggregatePages, pageLimit } from './aggregate-pages.ts';
import { someKeys } from './archive-store.ts';
import type { AggregateKey, AggregateKind } from './event-type.ts';
import type { Tools } from './fold-batch.ts';
import { projections } from './projections.ts';
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

/** Texts that are no person's; every other text may be, so that a column of tomorrow is not shown by mistake. */
const impersonal = new Set([
  ...['account_id', 'account_number', 'customer_id', 'application_number', 'conversation_id', 'schedule_id'],
  ...['loan_account_number', 'merged_into', 'merged_version', 'version', 'currency', 'role', 'kind'],
  ...['status', 'ekyc_status', 'aging_bucket', 'closure_reason', 'payment_frequency', 'decision', 'channel'],
]);

/** Whether a column may hold what names or describes a person. */
export function isPersonal(table: string, column: string): boolean {
  if (impersonal.has(column)) return false;
  const tables = Object.values(projections).flatMap((one) => [one, ...one.lists]);
  const type = tables.find((one) => one.table === table)?.columns[column];
  return type === undefined || type === 'text' || type === 'jsonb';
}
