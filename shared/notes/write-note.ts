// Writes a note about a customer, in one call. Under an Idempotency-Key it is written once; a repetition is answered with
// the note as it is by then, because what it says is kept nowhere else.

import type { Database } from '../database.ts';
import type { IdempotencyKey } from '../operations/idempotency-key.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Note } from './note.ts';
import { insertNote, type NewNote } from './store.ts';

export type WriteNoteRefusal = 'unknown_customer' | 'customer_erased' | 'key_reused';

/** Throws DatabaseFault. A note that was erased meanwhile is refused as its customer is. */
export async function writeNote(
  db: Database,
  note: NewNote,
  key: IdempotencyKey | undefined,
): Promise<Result<{ note: Note; repeated: boolean }, WriteNoteRefusal>> {
  const written = await insertNote(db, note, key);
  if (!written) return refused('unknown_customer');
  if (written.state === 'reused') return refused('key_reused');
  if (written.note === null) return refused('customer_erased');
  return ok({ note: written.note, repeated: written.state === 'repeated' });
}
