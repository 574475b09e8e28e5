// Keeps the first answer to a request under an Idempotency-Key, for its repetitions.

import type { Database } from '../database.ts';
import type { IdempotencyKey } from './idempotency-key.ts';
import { saveAnswer } from './store.ts';

/** The answer to give: `answer`, or the one that a request at the same time has kept before. Throws DatabaseFault. */
export const keepAnswer = async (db: Database, key: IdempotencyKey, answer: string): Promise<string> =>
  (await saveAnswer(db, key, answer)) ?? answer;
