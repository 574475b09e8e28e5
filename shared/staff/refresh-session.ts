// A refresh token is good once. It is answered with the next one; a used one ends the whole session, because then two
// have it and one of them has stolen it. There is no grace for an answer lost on the way: who loses one signs in again.

import type { Database } from '../database.ts';
import { sha256 } from '../id.ts';
import { ok, type Result, refused } from '../result.ts';
import { rotateRefreshToken } from './sign-in-store.ts';
import { newRefreshToken } from './signed-in.ts';

const pattern = /^rt_[0-9A-Za-z_-]{43}$/;

/** `reused` names the session that ended for it. */
export type RefreshRefusal =
  | { reason: 'unknown' }
  | { reason: 'ended' }
  | { reason: 'reused'; sessionId: string };

export async function refreshSession(
  db: Database,
  token: string,
): Promise<Result<{ sessionId: string; username: string; refreshToken: string }, RefreshRefusal>> {
  if (!pattern.test(token)) return refused({ reason: 'unknown' });
  const next = newRefreshToken();
  const { outcome, sessionId, username } = await rotateRefreshToken(
    db,
    await sha256(token),
    await sha256(next),
  );
  if (outcome === 'refreshed') return ok({ sessionId, username, refreshToken: next });
  return refused(outcome === 'reused' ? { reason: outcome, sessionId } : { reason: outcome });
}
