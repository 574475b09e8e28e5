// A message that is still to be delivered: a row of the outbox, put there by the transaction that did what it tells.
// Its payload is the exact text that goes out; nothing on the way reads an amount through a double.

/** Where messages go, each by a relay of its own. */
export const destinations = ['log', 'ledger', 'requests'] as const;
export type Destination = (typeof destinations)[number];

export interface OutboxMessage {
  /** A bigint as text: where it stands in its destination. Gaps are normal, and a lower one may appear later. */
  position: string;
  topic: string;
  /** Messages of one key keep their order. */
  key: string;
  /** The same in every repetition: what a consumer deduplicates by. */
  eventId: string;
  /** JSON. */
  payload: string;
}

/** A message that its destination will never take. It is kept whole in the database. */
export interface Undeliverable {
  eventId: string;
  /** Safe to log. */
  reason: string;
}

/**
 * What the payload calls its type: `event_type` in payment.events, `type` in payment.lifecycle. Undefined when it is
 * no JSON object or names none.
 */
export function eventType(payload: string): string | undefined {
  try {
    const object = JSON.parse(payload);
    const type: unknown = object?.event_type ?? object?.type;
    return typeof type === 'string' ? type : undefined;
  } catch {
    return undefined;
  }
}
