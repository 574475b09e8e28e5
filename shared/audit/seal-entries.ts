// Seals committed entries into the chain, in the order of their transactions. Any number may seal at once: one does, and
// the others find nothing to do. Killed in between, nothing of the batch is sealed.

import type { Database } from '../database.ts';
import { seal } from './store.ts';

/** Answers how many it sealed, at most `limit`. Throws DatabaseFault; safe to repeat. */
export const sealEntries = (db: Database, limit: number): Promise<number> => seal(db, limit);
