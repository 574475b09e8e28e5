// Notes as screens show them: of a customer, the pinned ones first and then the newest; those about whoever was merged
// into them are theirs.

import type { Database } from '../database.ts';
import type { Note } from '../notes/note.ts';
import { ok, type Result, refused } from '../result.ts';
import type { ListRefusal } from './list.ts';
import { pageKeys, type TextPage } from './page.ts';
import { customerNamed } from './resolve.ts';

const order = 'n.pinned desc, n.created_at desc, n.id desc';

/** SQL: the first notes about these customers as a JSON array. `customers` is an expression of type text[]. */
export const firstNotes = (customers: string, limit: number): string => `(
  select coalesce(json_agg(notes.shown(n) order by ${order}), '[]')
  from (select * from notes.notes n where n.customer_id = any (${customers}) order by ${order} limit ${limit}) n)`;

const keys = pageKeys('notes', 'integer', 'instant', 'uuid');

const statement = (where: string) => `
  with me as materialized (${customerNamed('$1::text')})
  select coalesce((
    select json_agg(json_build_object('note', notes.shown(n), 'place', json_build_array(
        n.pinned::int::text, to_char(n.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), n.id)) order by ${order})
    from (
      select * from notes.notes n
      where n.customer_id = any (array(select servicing.same_customers(me.id))) ${where}
      order by ${order} limit $2
    ) n), '[]') as notes
  from me`;
const first = statement('');
const further = statement('and (n.pinned::int, n.created_at, n.id) < ($3::int, $4::timestamptz, $5::uuid)');

export type NotesRefusal = 'unknown_customer' | ListRefusal;

/** `customer` is any name of theirs. Throws DatabaseFault. */
export async function readNotes(
  db: Database,
  customer: string,
  { after, limit }: { after?: string | undefined; limit: number },
): Promise<Result<TextPage<Note>, NotesRefusal>> {
  const place = after === undefined ? [] : keys.decode(after);
  if (!place) return refused('foreign_key');
  const [row] = await db.query<{ notes: Array<{ note: Note; place: string[] }> }>(
    after === undefined ? first : further,
    [customer, limit + 1, ...place],
  );
  if (!row) return refused('unknown_customer');
  const last = row.notes.length > limit ? row.notes[limit - 1] : undefined;
  return ok({
    rows: row.notes.slice(0, limit).map(({ note }) => note),
    next: last && keys.encode(last.place),
  });
}

/** SQL: the surviving customer whom the note with this id is about. */
export const customerOfNote = (id: string) =>
  `select servicing.surviving_customer(n.customer_id) from notes.notes n where n.id = ${id}::uuid`;

export async function readNote(db: Database, id: string): Promise<Note | undefined> {
  const [row] = await db.query<{ note: Note }>(
    'select notes.shown(n) as note from notes.notes n where n.id = $1',
    [id],
  );
  return row?.note;
}
