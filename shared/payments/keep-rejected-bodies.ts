// Keeps bodies that were signed and could not be read, each once with the times it was seen, and removes them when
// nobody has sent them for 30 days.

import type { Database } from '../database.ts';
import type { NewRejectedBody } from './rejected-body.ts';
import { deleteOldRejectedBodies, saveRejectedBodies } from './store.ts';

/** One round trip, all of them or none. Throws DatabaseFault; repeating it counts once more. */
export const keepRejectedBodies = (db: Database, bodies: readonly NewRejectedBody[]): Promise<void> =>
  saveRejectedBodies(db, bodies);

/** Removes at most so many and answers how many it were. */
export const removeOldRejectedBodies = (db: Database, limit: number): Promise<number> =>
  deleteOldRejectedBodies(db, limit);
