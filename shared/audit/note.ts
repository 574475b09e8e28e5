// Notes what somebody did that no table's change tells, in the caller's transaction; who asked is known there.

import type { Database } from '../database.ts';
import type { NewEntry } from './entry.ts';
import { addEntry } from './store.ts';

type Noted = NewEntry & { subject?: { kind: string; id: string | null } | undefined };

/** Throws DatabaseFault. */
export const note = (db: Database, entry: Noted): Promise<void> => addEntry(db, entry);
