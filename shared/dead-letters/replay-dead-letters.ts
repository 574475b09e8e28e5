// Has dead letters read and folded anew, after what was wrong is mended: their fields go to the inbox, and from there the
// way of every other event, the deduplication included. One that cannot be folded this time either becomes another
// letter, of the source `inbox`.

import type { Database } from '../database.ts';
import type { Chosen, Decided } from './dead-letter.ts';
import { decideDeadLetters } from './decide-dead-letters.ts';

/** Of a filter at most `limit`. An answer that got lost: asked again, they are refused as replayed. */
export const replayDeadLetters = (
  db: Database,
  chosen: Chosen,
  { actor, limit }: { actor: string; limit?: number },
): Promise<Decided> => decideDeadLetters(db, chosen, { status: 'replayed', reason: null, actor }, limit);
