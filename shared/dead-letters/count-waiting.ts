// How many letters wait for somebody, by source. A source that has none is not named.

import type { Database } from '../database.ts';
import { countBySource } from './store.ts';

export async function countWaiting(db: Database): Promise<Record<string, number>> {
  return Object.fromEntries((await countBySource(db)).map(({ source, waiting }) => [source, waiting]));
}
