// Keeps events in the database until they are folded. One round trip for the batch; each event is judged on its own.

import type { Database } from '../database.ts';
import type { Fields, StreamEvent } from './envelope.ts';
import { saveEvents } from './store.ts';

export interface NewEvent extends Pick<StreamEvent, 'id' | 'payloadHash'> {
  fields: Fields;
}
/** A duplicate is known with the same content, a conflict with other content, and is not kept. */
export type KeptEvent = 'accepted' | 'duplicate' | 'conflict';

/** Answers in the order given. Throws DatabaseFault; safe to repeat, then what was accepted is a duplicate. */
export const keepEvents = async (
  db: Database,
  events: readonly NewEvent[],
  source: string,
): Promise<KeptEvent[]> => (events.length === 0 ? [] : saveEvents(db, events, source));
