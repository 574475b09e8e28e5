// What has changed since a moment, each change exactly once: neither the order in which transactions commit nor one that
// runs for long makes any be missed or told twice.

import type { Database } from '../database.ts';
import type { Change } from './change.ts';
import { parseSnapshot, type Snapshot } from './snapshot.ts';
import { findChanges } from './store.ts';

const atOnce = 1_000;

export interface News {
  upTo: Snapshot;
  /** Undefined when they are too many to tell, or some are not kept any more: whoever asks has to read anew. */
  changes: Change[] | undefined;
}

/** Without a moment there are none. Throws DatabaseFault. */
export async function readChanges(db: Database, told: Snapshot | undefined): Promise<News> {
  const { snapshot, lost, changes } = await findChanges(db, told?.text, atOnce);
  const upTo = parseSnapshot(snapshot);
  if (!upTo) throw new Error(`no snapshot: ${snapshot.slice(0, 100)}`);
  const read = ({ transaction, ...change }: (typeof changes)[number]): Change => ({
    transaction: BigInt(transaction),
    ...change,
  });
  return { upTo, changes: lost ? undefined : changes.map(read) };
}
