// Takes events that have had their effect out of the inbox for good. Safe to repeat.

import type { Database } from '../database.ts';
import { remove } from './store.ts';

export async function settleEvents(db: Database, positions: readonly string[]): Promise<void> {
  if (positions.length > 0) await remove(db, positions);
}
