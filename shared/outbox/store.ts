// The outbox slice's only SQL. Rows are read and deleted by whoever holds the destination's lock; they are written
// by the transactions of other slices, through those slices' database functions. Reads walk the primary key: a table
// that is empty one minute and has a million rows, or a million dead ones, the next has no statistics to plan by.

import type { Database } from '../database.ts';
import type { OutboxMessage } from './message.ts';

export async function hasMessages(db: Database, destination: string): Promise<boolean> {
  const rows = await db.query(
    'select from outbox.messages where destination = $1 order by position limit 1',
    [destination],
  );
  return rows.length > 0;
}

/** Makes this transaction the destination's only relay until it ends; false when another one is. Never waits. */
export async function tryLock(tx: Database, destination: string): Promise<boolean> {
  const [row] = await tx.query<{ locked: boolean }>(
    `select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as locked,
            set_config('enable_sort', 'off', true)`,
    [`outbox.messages ${destination}`],
  );
  return row?.locked === true;
}

// 200 is what a message weighs on the wire beyond its payload and key, generously.
const firstMessagesStatement = `
  select position, topic, key, event_id as "eventId", payload
  from (
    select *, row_number() over up_to_here as place,
           sum(octet_length(payload) + octet_length(key) + 200) over up_to_here as bytes
    from outbox.messages
    where destination = $1
    window up_to_here as (order by position rows unbounded preceding)
    order by position
    limit $2
  ) as first
  where bytes <= $3 or place = 1
  order by first.position`;

/** The first messages of the destination: at most `limit`, and of `maxBytes` together unless one alone has more. */
export function firstMessages(
  tx: Database,
  destination: string,
  limit: number,
  maxBytes: number,
): Promise<OutboxMessage[]> {
  return tx.query<OutboxMessage>(firstMessagesStatement, [destination, limit, maxBytes]);
}

export async function removeMessages(
  tx: Database,
  destination: string,
  sent: readonly OutboxMessage[],
): Promise<void> {
  await tx.query('delete from outbox.messages where destination = $1 and position = any($2::bigint[])', [
    destination,
    sent.map((message) => message.position),
  ]);
}
