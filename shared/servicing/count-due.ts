// What falls due in the days around now, counted anew, by day and currency: looked up at once it would take too long.

import type { Database } from '../database.ts';
import { countDueDays } from './store.ts';

const dayMs = 86_400_000;
/** Whatever the business zone's day is, the week after it is among these. */
const daysBehind = 1;
const daysAhead = 9;

/** Answers how many sums there are. Safe to repeat. Throws DatabaseFault. */
export const countDue = (db: Database, now: Date): Promise<number> => {
  const day = (days: number) => new Date(now.getTime() + days * dayMs).toISOString().slice(0, 10);
  return countDueDays(db, day(-daysBehind), day(daysAhead));
};
