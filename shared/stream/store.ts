// The stream slice's only SQL: the inbox of events that came over HTTP or are replayed. A row is taken by a lease, with
// SKIP LOCKED, so that any number of readers take disjoint batches and none waits for another.

import type { Database } from '../database.ts';
import type { Fields } from './envelope.ts';
import type { KeptEvent, NewEvent } from './new-event.ts';

export async function saveEvents(
  db: Database,
  batch: readonly NewEvent[],
  source: string,
): Promise<KeptEvent[]> {
  const rows = await db.query<{ outcome: KeptEvent }>(
    'select * from servicing.keep_events($1::text[], $2::uuid[], $3::text[], $4)',
    [
      batch.map(({ id }) => id),
      batch.map(({ payloadHash }) => payloadHash),
      batch.map(({ fields }) => JSON.stringify(fields)),
      source,
    ],
  );
  if (rows.length !== batch.length) throw new Error(`kept ${rows.length} of ${batch.length} events`);
  return rows.map(({ outcome }) => outcome);
}

export interface ClaimedRow {
  position: string;
  fields: Fields;
}

// A lease that has run out first, else a steady flow of new rows would keep it waiting. Both in the index's order.
const claimStatement = `with stale as (
    select position from servicing.inbox where claimed_until > '-infinity' and claimed_until <= now()
    order by claimed_until, position limit $1 for update skip locked
  ), fresh as (
    select position from servicing.inbox where claimed_until = '-infinity'
    order by position limit $1 - (select count(*) from stale) for update skip locked
  ), claimed as (
    update servicing.inbox set claimed_until = now() + $2 * interval '1 millisecond'
    where position in (select position from stale union all select position from fresh)
    returning position, fields
  )
  select position::text, fields from claimed order by claimed.position`;

export const claim = (db: Database, limit: number, leaseMs: number): Promise<ClaimedRow[]> =>
  db.query<ClaimedRow>(claimStatement, [limit, leaseMs]);

export const remove = (db: Database, positions: readonly string[]): Promise<unknown> =>
  db.query('delete from servicing.inbox where position = any ($1::bigint[])', [positions]);

export interface InboxState {
  waiting: number;
  claimed: number;
  oldestClaimedSeconds: number;
}

const stateStatement = `select
    (count(*) filter (where claimed_until <= now()))::int as waiting,
    (count(*) filter (where claimed_until > now()))::int as claimed,
    coalesce(extract(epoch from now() - min(received_at) filter (where claimed_until > now())), 0)::float8
      as "oldestClaimedSeconds"
  from servicing.inbox`;

export async function selectInboxState(db: Database): Promise<InboxState> {
  const [row] = await db.query<InboxState>(stateStatement);
  return row as InboxState;
}
