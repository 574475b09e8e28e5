// The notes slice's only SQL; the rules that need a lock are functions of drizzle/migrations/0021_notes.sql.

import type { Database } from '../database.ts';
import type { IdempotencyKey } from '../operations/idempotency-key.ts';
import { customerNamed } from '../read/resolve.ts';
import type { Circle } from '../staff/reach.ts';
import type { Note } from './note.ts';

export interface NewNote {
  /** Any name of theirs. */
  customer: string;
  text: string;
  pinned: boolean;
  actor: string;
}

export interface Written {
  state: 'new' | 'repeated' | 'reused' | 'erased';
  note: Note | null;
}

/** Undefined when nobody is named so. */
export async function insertNote(
  db: Database,
  { customer, text, pinned, actor }: NewNote,
  key: IdempotencyKey | undefined,
): Promise<Written | undefined> {
  const [row] = await db.query<Written>(
    `with me as materialized (${customerNamed('$1::text')})
     select written.state, written.note
     from me cross join lateral notes.write_note($2, $3, $4, me.id, $5, $6) written`,
    [customer, actor, key?.key ?? null, key?.request ?? null, text, pinned],
  );
  return row;
}

export interface NoteChange {
  id: string;
  version: number;
  /** What is added. */
  text?: string | undefined;
  pinned?: boolean | undefined;
  actor: string;
  circle: Circle | undefined;
}

export type Changed = { outcome: 'changed' | 'stale'; note: Note } | { outcome: 'full'; note: null };

export async function saveChange(
  db: Database,
  { id, version, text, pinned, actor, circle }: NoteChange,
): Promise<Changed | undefined> {
  const [row] = await db.query<Changed>('select * from notes.change_note($1, $2, $3, $4, $5, $6, $7)', [
    ...[id, version, text ?? null, pinned ?? null, actor],
    ...[circle === 'everybody', typeof circle === 'object' ? circle.team : null],
  ]);
  return row;
}

/** As the owner alone may. Their texts go with them. */
export async function deleteNotes(db: Database, customers: readonly string[]): Promise<number> {
  const deleted = await db.query('delete from notes.notes where customer_id = any ($1::text[]) returning 1', [
    customers,
  ]);
  return deleted.length;
}
