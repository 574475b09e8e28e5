// What is held is tried again from time to time: its loan may have appeared, the ledger may take it by now.

import type { Database } from '../database.ts';
import { tryHeldAgain } from './store.ts';

/** At most `limit` of those whose time has come; answers how many there were. Throws DatabaseFault. */
export const tryAgain = (db: Database, limit: number): Promise<number> => tryHeldAgain(db, limit);
