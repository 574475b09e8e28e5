// The archive always has its coming months, and what was archived without one moves to where it belongs.

import type { Database } from '../database.ts';
import { ensureMonths } from './store.ts';

/** Answers how many were added; safe to repeat. Throws DatabaseFault. */
export const addArchiveMonths = (db: Database, monthsAhead: number): Promise<number> =>
  ensureMonths(db, monthsAhead);
