// The live slice's only SQL.

import type { Database } from '../database.ts';
import type { ChangeKind } from './change.ts';

export interface FoundChanges {
  snapshot: string;
  /** There are too many, or some are not kept any more. */
  lost: boolean;
  changes: Array<{
    transaction: string;
    kind: ChangeKind;
    ids: string[] | null;
    accounts: string[] | null;
  }>;
}

// What a snapshot does not see is above its end, or was running: two ranges of the primary key. What ran then and has ended
// since may have been trimmed already. What comes from another cluster's copy has transactions that this one has not
// given yet.
const statement = `
  with moment as materialized (select $1::pg_snapshot as told, pg_current_snapshot() as present),
  news as materialized (
    select transaction_id, position, kind, ids, accounts from live.changes
    where transaction_id >= (select pg_snapshot_xmax(told) from moment)
      and transaction_id < (select pg_snapshot_xmax(present) from moment)
    union all
    select transaction_id, position, kind, ids, accounts from live.changes
    where transaction_id = any (array(select pg_snapshot_xip(told) from moment))
    limit $2::int + 1
  )
  select present::text as snapshot,
    coalesce(pg_snapshot_xmax(told) > pg_snapshot_xmax(present)
      or (h.trimmed < pg_snapshot_xmax(present) and (h.trimmed >= pg_snapshot_xmax(told) or exists (
        select from pg_snapshot_xip(told) as ran where ran <= h.trimmed and pg_visible_in_snapshot(ran, present))))
      or (select count(*) > $2::int from news), false) as lost,
    (select coalesce(json_agg(json_build_object('transaction', transaction_id::text, 'kind', kind, 'ids', ids,
       'accounts', accounts) order by transaction_id, position), '[]') from news) as changes
  from moment cross join live.horizon h`;

export async function findChanges(
  db: Database,
  told: string | undefined,
  most: number,
): Promise<FoundChanges> {
  const [row] = await db.query<FoundChanges>(statement, [told ?? null, most]);
  return row as FoundChanges;
}

export async function deleteOldChanges(db: Database, keptMinutes: number, limit: number): Promise<number> {
  const [row] = await db.query<{ removed: number }>(
    'select live.remove_old_changes(make_interval(mins => $1), $2) as removed',
    [keptMinutes, limit],
  );
  return row?.removed ?? 0;
}
