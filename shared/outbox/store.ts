// The outbox slice's only SQL. Rows are taken by whoever holds the destination's lock; they are written by the
// transactions of other slices, through those slices' database functions. Reads walk the primary key: a table that is
// empty one minute and has a million rows, or a million dead ones, the next has no statistics to plan by.

import type { Database } from '../database.ts';
import type { OutboxMessage, Undeliverable } from './message.ts';

export async function hasMessages(db: Database, destination: string): Promise<boolean> {
  const rows = await db.query(
    'select from outbox.messages where destination = $1 order by position limit 1',
    [destination],
  );
  return rows.length > 0;
}

/**
 * Makes this transaction the destination's only relay until it ends; false when another one is. Never waits. Its commit
 * does not wait for the disk either: a server that crashes right after it brings the rows back, and they are sent again.
 */
export async function tryLock(tx: Database, destination: string): Promise<boolean> {
  const [row] = await tx.query<{ locked: boolean }>(
    `select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as locked,
            set_config('enable_sort', 'off', true), set_config('synchronous_commit', 'off', true)`,
    [`outbox.messages ${destination}`],
  );
  return row?.locked === true;
}

export interface Bounds {
  /** Messages. */
  limit: number;
  /** Of all messages together, unless the first alone has more. */
  maxBytes: number;
  /** A message whose payload has more is set aside without being read. */
  maxPayloadBytes: number;
}

/** What a message weighs on the wire beyond its payload and key, generously. */
const overheadBytes = 200;

const takeStatement = `
  with first as (
    select position
    from (
      select position, row_number() over up_to_here as place,
             sum(octet_length(payload) + octet_length(key) + ${overheadBytes}) over up_to_here as bytes
      from outbox.messages
      where destination = $1
      window up_to_here as (order by position rows unbounded preceding)
      order by position
      limit $2
    ) as counted
    where bytes <= $3 or place = 1
  ), taken as (
    delete from outbox.messages
    where destination = $1 and position = any(array(select position from first))
    returning *
  ), set_aside as (
    insert into outbox.undeliverable (destination, position, topic, key, event_id, payload, reason)
    select destination, position, topic, key, event_id, payload, $5
    from taken where octet_length(payload) > $4
  )
  select position, topic, key, event_id as "eventId",
         case when octet_length(payload) <= $4 then payload end as payload
  from taken order by taken.position`;

/**
 * Takes the first messages of the destination out of the outbox; they are back in it when the transaction does not
 * commit. `setAside` are those that were too large to be read.
 */
export async function takeFirst(
  tx: Database,
  destination: string,
  { limit, maxBytes, maxPayloadBytes }: Bounds,
): Promise<{ messages: OutboxMessage[]; setAside: Undeliverable[] }> {
  const reason = `the payload has more than ${maxPayloadBytes} bytes`;
  const rows = await tx.query<Omit<OutboxMessage, 'payload'> & { payload: string | null }>(takeStatement, [
    destination,
    // More cannot fit, and need not be looked at.
    Math.min(limit, Math.ceil(maxBytes / overheadBytes)),
    maxBytes,
    maxPayloadBytes,
    reason,
  ]);
  return {
    messages: rows.filter((row): row is OutboxMessage => row.payload !== null),
    setAside: rows.filter((row) => row.payload === null).map(({ eventId }) => ({ eventId, reason })),
  };
}

/** Keeps a message that was taken where it holds up nothing. */
export async function saveUndeliverable(
  tx: Database,
  destination: string,
  { position, topic, key, eventId, payload }: OutboxMessage,
  reason: string,
): Promise<void> {
  await tx.query(
    `insert into outbox.undeliverable (destination, position, topic, key, event_id, payload, reason)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [destination, position, topic, key, eventId, payload, reason],
  );
}

/** By the first message's age: the oldest but for transactions that took long. Counting a backlog would cost a scan. */
export async function queueState(
  db: Database,
  destination: string,
): Promise<{ oldestSeconds: number; undeliverable: number }> {
  const [row] = await db.query<{ oldestSeconds: number; undeliverable: number }>(
    `select coalesce((select greatest(0, round(extract(epoch from now() - created_at), 1)) from outbox.messages
                      where destination = $1 order by position limit 1), 0)::float as "oldestSeconds",
            (select count(*)::int from outbox.undeliverable where destination = $1) as undeliverable`,
    [destination],
  );
  if (!row) throw new Error('the state of a queue has one row');
  return row;
}
