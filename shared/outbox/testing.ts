// For tests only: rows for the outbox, and what a consumer makes of what was published.

import type { Database } from '../database.ts';
import type { OutboxMessage } from './message.ts';

export type Published = Pick<OutboxMessage, 'eventId' | 'key' | 'payload'>;

/** `n` counts up within a key, so that order can be seen; the rest is whatever. */
export const message = (
  key: string,
  n: number,
  more: object = {},
  topic = 'payment.events',
): OutboxMessage => ({
  position: '0',
  topic,
  key,
  eventId: crypto.randomUUID(),
  payload: JSON.stringify({ event_type: 'payment.recorded', key, n, ...more }),
});

export async function insert(db: Database, messages: readonly OutboxMessage[]): Promise<void> {
  await db.query(
    `insert into outbox.messages (destination, topic, key, event_id, payload)
     select 'log', * from unnest($1::text[], $2::text[], $3::uuid[], $4::text[])`,
    [
      messages.map((m) => m.topic),
      messages.map((m) => m.key),
      messages.map((m) => m.eventId),
      messages.map((m) => m.payload),
    ],
  );
}

/** Each event's first appearance, by key: what a consumer that knows repetitions sees. */
export function firstAppearances(log: readonly Published[]): Record<string, number[]> {
  const seen = new Set<string>();
  const byKey: Record<string, number[]> = {};
  for (const { eventId, key, payload } of log) {
    if (seen.has(eventId)) continue;
    seen.add(eventId);
    byKey[key] ??= [];
    byKey[key].push(JSON.parse(payload).n);
  }
  return byKey;
}
