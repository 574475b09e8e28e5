// The job `cleanup`: deletes old records of work that is done, a bounded number at a time. Never what correctness rests
// on: references, payments, conflicts and the outbox are not its business.

import type { Database } from '../../shared/database.ts';
import { removeOldDeadLetters } from '../../shared/dead-letters/remove-old-letters.ts';
import { removeOldChanges } from '../../shared/live/remove-old-changes.ts';
import { removeOldIdempotencyKeys } from '../../shared/operations/remove-old-idempotency-keys.ts';
import { removeOldRuns } from '../../shared/operations/remove-old-runs.ts';
import { removeOldRejectedBodies } from '../../shared/payments/keep-rejected-bodies.ts';
import { removeOldNotices } from '../../shared/payments/settle-notices.ts';
import {
  removeOldAttempts,
  removeOldDevices,
  removeOldSessions,
} from '../../shared/staff/remove-old-sessions.ts';
import { removeOldLog } from '../../shared/staging/tidy-log.ts';
import type { Job } from '../jobs.ts';

/** Deletes at most `limit` rows and answers how many. */
type Cleaning = (db: Database, now: Date, limit: number) => Promise<number>;

export interface CleanupSettings {
  /** How long sessions are kept that are over. */
  sessionDays: number;
}

/** All there is to clean; the name is the count's in the run's detail. */
const cleanings = ({ sessionDays }: CleanupSettings): Record<string, Cleaning> => ({
  job_runs: removeOldRuns,
  idempotency_keys: (db, _, limit) => removeOldIdempotencyKeys(db, limit),
  rejected_bodies: (db, _, limit) => removeOldRejectedBodies(db, limit),
  notices: (db, _, limit) => removeOldNotices(db, limit),
  dead_letters: (db, _, limit) => removeOldDeadLetters(db, limit),
  staging_log: removeOldLog,
  sessions: (db, now, limit) => removeOldSessions(db, now, limit, sessionDays),
  sign_in_attempts: (db, _, limit) => removeOldAttempts(db, limit),
  known_devices: removeOldDevices,
  // There is one for each lone payment: a run must keep up with a thousand a second.
  live_changes: (db, _, limit) => removeOldChanges(db, 20 * limit),
});

const rowsAtOnce = 1_000;
/** What is left over is for the next run. */
const roundsPerRun = 200;

export const cleanup =
  (settings: CleanupSettings): Job =>
  async ({ db, now, signal, progress }) => {
    const removed: Record<string, number> = {};
    for (const [what, clean] of Object.entries(cleanings(settings))) {
      removed[what] = 0;
      for (let round = 0; round < roundsPerRun; round++) {
        signal.throwIfAborted();
        const count = await clean(db, now, rowsAtOnce);
        removed[what] += count;
        await progress(removed);
        if (count < rowsAtOnce) break;
      }
    }
    return removed;
  };
