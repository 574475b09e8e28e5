// Attempts at an entry that faults while it is folded. They are counted in the database, so that a process that starts
// again goes on counting; Redis' own count of deliveries would count outages, too.

import type { Database } from '../database.ts';
import { forgetAttempts as forget, forgetOldAttempts as forgetOld, saveAttempt } from './store.ts';

interface Entry {
  source: string;
  entryId: string;
}

/** Answers how many there are with this one. */
export const countAttempt = (db: Database, entry: Entry, error: string): Promise<number> =>
  saveAttempt(db, entry, error);

export const forgetAttempts = (db: Database, entries: readonly Entry[]): Promise<void> => forget(db, entries);

/** Of entries that somebody else has dealt with meanwhile. */
export const forgetOldAttempts = (db: Database): Promise<void> => forgetOld(db);
