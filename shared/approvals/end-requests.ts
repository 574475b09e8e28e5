// Ends requests that nobody decided in time, a bounded number at a time.

import type { Database } from '../database.ts';
import { expireRequests } from './store.ts';

/** Answers how many. Throws DatabaseFault; safe to repeat. */
export const endRequests = (db: Database, limit: number): Promise<number> => expireRequests(db, limit);
