// A dead letter: an event that could not be read or folded, whole, until somebody replays or discards it. Pure.

import { isUuid } from '../id.ts';
import type { Fields } from '../stream/envelope.ts';

/**
 *   waiting     for somebody to decide
 *   replayed    its fields are in the inbox again, and have become an event or another letter
 *   discarded   with the reason; nothing came of it
 */
export const deadLetterStatuses = ['waiting', 'replayed', 'discarded'] as const;
export type DeadLetterStatus = (typeof deadLetterStatuses)[number];

export interface NewDeadLetter {
  /** Where it was delivered from, and its name there: together they are the letter's identity. */
  source: string;
  entryId: string;
  /** Null where it could not be read so far. */
  eventId: string | null;
  type: string | null;
  fields: Fields;
  /** What is wrong, for staff. It is shown in lists, so it must quote nothing of what the event says about people. */
  reason: string;
  stack: string | null;
}

/** Which of those that wait; all of them when it names nothing. */
export interface DeadLetterFilter {
  type?: string | undefined;
  source?: string | undefined;
  reasonPrefix?: string | undefined;
  buriedBefore?: Date | undefined;
}

/** By id, or the oldest that match. */
export type Chosen = { ids: readonly string[] } | { filter: DeadLetterFilter };

/** So many are decided by one call. */
export const decidedAtOnce = 500;

export interface Decision {
  status: Exclude<DeadLetterStatus, 'waiting'>;
  reason: string | null;
  /** Who decides. */
  actor: string;
}

export interface Decided {
  decided: number;
  /** Of the ids asked for: the decision that stands, or null where there is no such letter. */
  refused: Array<{ id: string; status: Decision['status'] | null }>;
  /** How many more wait that match the filter. */
  left: number;
}

/** What Postgres cannot keep in a text is replaced. */
const keepable = (text: string): string => text.toWellFormed().replaceAll('\u0000', '\uFFFD');

export function keepableLetter(letter: NewDeadLetter): NewDeadLetter {
  const orNull = (text: string | null) => text && keepable(text);
  return {
    source: keepable(letter.source),
    entryId: keepable(letter.entryId),
    eventId: orNull(letter.eventId),
    type: orNull(letter.type),
    fields: Object.fromEntries(Object.entries(letter.fields).map((field) => field.map(keepable))),
    reason: keepable(letter.reason),
    stack: orNull(letter.stack),
  };
}

/** Once each, as Postgres writes them. More than one call may decide is a bug, and so is anything but UUIDs. */
export function idsToDecide(ids: readonly string[]): string[] {
  if (ids.length > decidedAtOnce)
    throw new Error(`at most ${decidedAtOnce} dead letters are decided at once`);
  if (!ids.every(isUuid)) throw new Error('a dead letter is named by its UUID');
  return [...new Set(ids.map((id) => id.toLowerCase()))];
}

/** `before` is the status that each letter had. */
export function decidedOf(ids: readonly string[], before: ReadonlyMap<string, DeadLetterStatus>): Decided {
  const refused = ids.flatMap((id) => {
    const status = before.get(id);
    return status === 'waiting' ? [] : [{ id, status: status ?? null }];
  });
  return { decided: ids.length - refused.length, refused, left: 0 };
}
