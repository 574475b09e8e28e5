// A letter is decided once, by whoever is first. What replaying and discarding have in common.

import type { Database } from '../database.ts';
import { type Chosen, type Decided, type Decision, decidedAtOnce, idsToDecide } from './dead-letter.ts';
import { saveDecision, saveMatchingDecision } from './store.ts';

/** In one transaction. Letters that do not wait, or are not there, are told and hold up no other. Throws DatabaseFault. */
export const decideDeadLetters = (
  db: Database,
  chosen: Chosen,
  decision: Decision,
  limit: number = decidedAtOnce,
): Promise<Decided> =>
  'ids' in chosen
    ? saveDecision(db, idsToDecide(chosen.ids), decision)
    : saveMatchingDecision(db, chosen.filter, limit, decision);
