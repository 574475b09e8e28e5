// What becomes of a notice after it is kept: it is claimed, the provider is asked without any transaction open, and the
// answer is recorded in the transaction that settles the notice. Killed anywhere, it is asked again; nothing is
// recorded twice.

import type { Database, TransactionalDatabase } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import { recordArrivals } from './arrival.ts';
import type { NoticeStatus } from './notice.ts';
import type { BodyRefusal } from './payment-body.ts';
import type { Asked } from './scheme.ts';
import {
  type ClaimedNotice,
  claimNotices as claim,
  deleteOldNotices,
  saveRetriedNotice,
  saveSettledNotice,
  saveUnansweredNotice,
} from './store.ts';

export type { ClaimedNotice };

/** Notices of these channels whose time has come, at most `limit`; nobody else is given them for `leaseMs`. */
export const claimNotices = (
  db: Database,
  what: { channels: readonly string[]; limit: number; leaseMs: number },
): Promise<ClaimedNotice[]> => claim(db, what);

/** Records what the provider answered. False when another has taken the notice over meanwhile: nothing is recorded. */
export const settleNotice = (
  db: TransactionalDatabase,
  notice: ClaimedNotice,
  { arrivals, cursor, more = false }: Asked,
): Promise<boolean> =>
  db.transaction(async (inside) => {
    const { id, attempts, timesSeen } = notice;
    const settled = { id, attempts, timesSeen, cursor: cursor ?? notice.cursor, more };
    if (!(await saveSettledNotice(inside, settled))) return false;
    await recordArrivals(inside, arrivals);
    return true;
  });

/** There was no answer; it is asked again after a while. */
export const postponeNotice = (
  db: Database,
  notice: ClaimedNotice,
  error: string,
  retryInMs: number,
): Promise<void> => saveUnansweredNotice(db, { id: notice.id, attempts: notice.attempts, error, retryInMs });

/** It is not asked again, unless staff have it so. */
export const failNotice = (db: Database, notice: ClaimedNotice, error: string): Promise<void> =>
  saveUnansweredNotice(db, { id: notice.id, attempts: notice.attempts, error, retryInMs: null });

/** A refusal as one line for staff. */
export const refusalText = (refusal: BodyRefusal): string =>
  refusal.kind === 'malformed'
    ? refusal.reason
    : refusal.faults.map(({ field, message }) => `${field}: ${message}`).join('; ');

/** Has a notice asked again: one that failed from the start, one that waits at once. One that is done is refused. */
export async function retryNotice(
  db: Database,
  notice: { noticeId: string; actor: string },
): Promise<Result<{ before: NoticeStatus }, { kind: 'unknown_notice' } | { kind: 'done' }>> {
  const before = await saveRetriedNotice(db, notice);
  if (before === undefined) return refused({ kind: 'unknown_notice' });
  return before === 'done' ? refused({ kind: 'done' }) : ok({ before });
}

/** Removes at most so many notices that have been done for 90 days, and answers how many it were. */
export const removeOldNotices = (db: Database, limit: number): Promise<number> => deleteOldNotices(db, limit);
