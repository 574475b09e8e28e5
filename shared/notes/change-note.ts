// Adds to a note, or pins it to the top of its customer's, from the version that was looked at. Whose notes somebody may
// change is the reach of their permission.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Caller } from '../staff/caller.ts';
import { circleOf } from '../staff/reach.ts';
import type { Note } from './note.ts';
import { saveChange } from './store.ts';

export type ChangeNoteRefusal =
  | { kind: 'unknown_note' }
  | { kind: 'changed_meanwhile'; present: Note }
  | { kind: 'limit_reached' };

/** Pinning what is pinned changes nothing, its version included. Throws DatabaseFault. */
export async function changeNote(
  db: Database,
  caller: Caller,
  change: { id: string; version: number } & ({ text: string } | { pinned: boolean }),
): Promise<Result<Note, ChangeNoteRefusal>> {
  const circle = circleOf(caller, 'notes:write');
  const changed = await saveChange(db, { ...change, actor: caller.actor, circle });
  if (!changed) return refused({ kind: 'unknown_note' });
  if (changed.outcome === 'full') return refused({ kind: 'limit_reached' });
  return changed.outcome === 'changed'
    ? ok(changed.note)
    : refused({ kind: 'changed_meanwhile', present: changed.note });
}
