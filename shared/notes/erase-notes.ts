// Deletes whatever staff have written about these customers, in the caller's transaction; part of erasing a person. The
// audit trail keeps that there were notes and that they went, without what they said.

import type { Database } from '../database.ts';
import { deleteNotes } from './store.ts';

/** Answers how many. Throws DatabaseFault; safe to repeat. */
export const eraseNotes = (tx: Database, customers: readonly string[]): Promise<number> =>
  deleteNotes(tx, customers);
