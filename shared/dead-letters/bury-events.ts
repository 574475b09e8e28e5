// Burying is the end of what a process can do by itself about an event: it is kept whole, with the reason, and nothing
// is ever thrown away.

import type { Database } from '../database.ts';
import { keepableLetter, type NewDeadLetter } from './dead-letter.ts';
import { saveDeadLetters } from './store.ts';

/**
 * All of it or nothing, in the caller's transaction where there is one. Safe to repeat: an entry that is buried again
 * while it waits is the same letter with the reason of now; one that was decided stays decided. Throws DatabaseFault.
 */
export async function buryEvents(db: Database, letters: readonly NewDeadLetter[]): Promise<void> {
  if (letters.length > 0) await saveDeadLetters(db, letters.map(keepableLetter));
}
