// Keeps failed attempts to pay and announces them, each once. One round trip for the batch, all of it or nothing.

import type { Database } from '../database.ts';
import { failedEventIdOf, failureIdOf, type NewFailure } from './failure.ts';
import { saveFailures } from './store.ts';

/** Answers in the order given. Throws DatabaseFault; safe to repeat. */
export async function recordFailures(
  db: Database,
  failures: readonly NewFailure[],
): Promise<Array<'recorded' | 'duplicate'>> {
  const identified = failures.map((failure) => {
    const id = failureIdOf(failure);
    return { ...failure, id, eventId: failedEventIdOf(id) };
  });
  return saveFailures(db, identified);
}
