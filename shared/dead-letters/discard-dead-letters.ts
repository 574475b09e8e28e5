// Puts dead letters away that nothing is to come of, with the reason. They can be read for 90 days more.

import type { Database } from '../database.ts';
import type { Chosen, Decided } from './dead-letter.ts';
import { decideDeadLetters } from './decide-dead-letters.ts';

/** Of a filter at most `limit`. */
export const discardDeadLetters = (
  db: Database,
  chosen: Chosen,
  { reason, actor, limit }: { reason: string; actor: string; limit?: number },
): Promise<Decided> => decideDeadLetters(db, chosen, { status: 'discarded', reason, actor }, limit);
