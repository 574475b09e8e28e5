// The audit slice's only SQL, beside the triggers that write most of the trail (drizzle/migrations/0017_audit.sql).

import type { Database } from '../database.ts';
import type { Link } from './chain.ts';
import type { NewEntry } from './entry.ts';

export async function addEntry(
  db: Database,
  { action, subject, details }: NewEntry & { subject?: { kind: string; id: string | null } | undefined },
): Promise<void> {
  await db.query('select audit.add($1, $2, $3, null, null, $4)', [
    action,
    subject?.kind ?? null,
    subject?.id ?? null,
    details ? JSON.stringify(details) : null,
  ]);
}

export async function seal(db: Database, limit: number): Promise<number> {
  const [row] = await db.query<{ sealed: number }>('select audit.seal($1) as sealed', [limit]);
  return row?.sealed ?? 0;
}

export async function countUnsealed(db: Database): Promise<number> {
  const [row] = await db.query<{ unsealed: string }>('select count(*) as unsealed from audit.unsealed');
  return Number(row?.unsealed ?? 0);
}

/** The same as audit.canonical, which whoever changes entries could change as well. */
const canonical = `jsonb_build_array(e.id, e.transaction_id::text, extract(epoch from e.at)::text, e.actor, e.action,
  e.subject_kind, e.subject_id, e.before, e.after, e.details, e.address, e.request_id, e.session_id)::text`;

/** In the order of the chain. */
export async function linksAfter(db: Database, position: number, limit: number): Promise<Link[]> {
  const rows = await db.query<Link & { position: string }>(
    `select s.position, s.entry_id as "entryId", encode(s.hash, 'hex') as hash, case when e.id is not null then ${canonical} end as text
     from audit.seals s left join audit.entries e on e.id = s.entry_id
     where s.position > $1 order by s.position limit $2`,
    [position, limit],
  );
  return rows.map((row) => ({ ...row, position: Number(row.position) }));
}

/** The first entry that is neither sealed nor waits for it, and the first that waits and is not there. */
export async function entriesOutside(
  db: Database,
): Promise<{ putIn: string | null; missing: string | null }> {
  const [row] = await db.query<{ putIn: string | null; missing: string | null }>(
    `select (select min(e.id) from audit.entries e
             where not exists (select from audit.seals s where s.entry_id = e.id)
               and not exists (select from audit.unsealed u where u.entry_id = e.id)) as "putIn",
            (select min(u.entry_id) from audit.unsealed u
             where not exists (select from audit.entries e where e.id = u.entry_id)) as missing`,
  );
  return row as { putIn: string | null; missing: string | null };
}
