// Ends an API key for good. Isolates that have just seen it let it in for up to five seconds more.

import type { Database } from '../database.ts';
import { saveRevocation } from './store.ts';

/** False when no live key has this prefix. */
export const revokeApiKey = (db: Database, key: { prefix: string; actor: string }): Promise<boolean> =>
  saveRevocation(db, key.prefix, key.actor);
