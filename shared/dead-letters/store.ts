// The dead letters' only SQL. Deciding goes through functions of the database, so that a letter is moved and marked in
// one transaction, at the edge too. What screens show is read in shared/read/.

import type { Database } from '../database.ts';
import {
  type DeadLetterFilter,
  type DeadLetterStatus,
  type Decided,
  type Decision,
  decidedOf,
  type NewDeadLetter,
} from './dead-letter.ts';

/** Every writer goes through the letters in this order, so that no two deadlock. */
export async function saveDeadLetters(db: Database, letters: readonly NewDeadLetter[]): Promise<void> {
  const column = <K extends keyof NewDeadLetter>(name: K) => letters.map((letter) => letter[name]);
  await db.query(
    `insert into servicing.dead_letters as known (source, entry_id, event_id, type, fields, reason, stack)
     select distinct on (l.source, l.entry_id) l.source, l.entry_id, l.event_id, l.type, l.fields, l.reason, l.stack
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::text[], $7::text[])
       with ordinality as l (source, entry_id, event_id, type, fields, reason, stack, n)
     order by l.source, l.entry_id, l.n desc
     on conflict on constraint one_letter_per_entry
       do update set reason = excluded.reason, stack = excluded.stack where known.status = 'waiting'`,
    [
      column('source'),
      column('entryId'),
      column('eventId'),
      column('type'),
      column('fields').map((fields) => JSON.stringify(fields)),
      column('reason'),
      column('stack'),
    ],
  );
}

export async function saveDecision(
  db: Database,
  ids: readonly string[],
  { status, reason, actor }: Decision,
): Promise<Decided> {
  const rows = await db.query<{ letter_id: string; status_before: DeadLetterStatus }>(
    'select * from servicing.decide_dead_letters($1::uuid[], $2, $3, $4)',
    [ids, status, reason, actor],
  );
  return decidedOf(ids, new Map(rows.map((row) => [row.letter_id, row.status_before])));
}

/** The oldest first, at most `limit`. */
export async function saveMatchingDecision(
  db: Database,
  { type, source, reasonPrefix, buriedBefore }: DeadLetterFilter,
  limit: number,
  { status, reason, actor }: Decision,
): Promise<Decided> {
  const filter = [type ?? null, source ?? null, reasonPrefix ?? null, buriedBefore?.toISOString() ?? null];
  const [row] = await db.query<{ decided: number; remaining: number }>(
    'select * from servicing.decide_matching_dead_letters($1, $2, $3, $4::timestamptz, $5, $6, $7, $8)',
    [...filter, limit, status, reason, actor],
  );
  if (!row) throw new Error('the function answers one row');
  return { decided: row.decided, refused: [], left: row.remaining };
}

export const countBySource = (db: Database): Promise<Array<{ source: string; waiting: number }>> =>
  db.query(
    `select source, count(*)::int as waiting from servicing.dead_letters where status = 'waiting'
     group by source order by source`,
  );

export async function deleteOldDeadLetters(db: Database, limit: number): Promise<number> {
  const [row] = await db.query<{ removed: number }>(
    'select servicing.remove_old_dead_letters($1) as removed',
    [limit],
  );
  return row?.removed ?? 0;
}
