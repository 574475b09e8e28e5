// Keeps events in the database until they are folded. One round trip for the batch; each event is judged on its own.

import type { Database } from '../database.ts';
import type { KeptEvent, NewEvent } from './new-event.ts';
import { saveEvents } from './store.ts';

/** Answers in the order given. Throws DatabaseFault; safe to repeat, then what was accepted is a duplicate. */
export const keepEvents = async (
  db: Database,
  events: readonly NewEvent[],
  source: string,
): Promise<KeptEvent[]> => (events.length === 0 ? [] : saveEvents(db, events, source));
