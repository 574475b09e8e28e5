// Deletes what signing in leaves behind, a bounded number at a time: sessions that are long over with their refresh
// tokens, counters of attempts that count no more, devices that nobody has signed in from for long. Who signed in when
// stays in the audit trail.

import type { Database } from '../database.ts';
import { deleteOldAttempts, deleteOldDevices, deleteOldSessions } from './sign-in-store.ts';

const dayMs = 86_400_000;
/** As long as the device's cookie lasts. */
export const deviceKnownDays = 180;

export const removeOldSessions = (
  db: Database,
  now: Date,
  limit: number,
  keptDays: number,
): Promise<number> => deleteOldSessions(db, new Date(now.getTime() - keptDays * dayMs), limit);

export const removeOldAttempts = (db: Database, limit: number): Promise<number> =>
  deleteOldAttempts(db, limit);

export const removeOldDevices = (db: Database, now: Date, limit: number): Promise<number> =>
  deleteOldDevices(db, new Date(now.getTime() - deviceKnownDays * dayMs), limit);
