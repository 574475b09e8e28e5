// Seals what committed statements have added into the chain, in the order of their transactions. Any number may seal at
// once: one does, and the others find nothing to do. Killed in between, nothing of the batch is sealed.

import type { Database } from '../database.ts';
import { seal } from './seal-store.ts';

/** Answers how many seals it made, at most `limit`, each over what one statement has added. Throws DatabaseFault; safe to repeat. */
export const sealTransfers = (db: Database, limit: number): Promise<number> => seal(db, limit);
