// Staff say which loan a held payment is for. It is then posted there, under the same key as ever.

import type { Database } from '../database.ts';
import type { IdempotencyKey } from '../operations/idempotency-key.ts';
import { resolveLoan } from '../read/resolve.ts';
import { ok, type Result, refused } from '../result.ts';
import type { PostingState } from './posting.ts';
import { type Match, saveMatch } from './store.ts';

export type MatchRefusal =
  | { kind: 'unknown_posting' | 'unknown_loan' | 'key_reused' }
  | { kind: 'not_held'; state: PostingState };

/** `accountId` is any name of the loan. `repeated`: the key had been used for this before. Throws DatabaseFault. */
export async function matchPosting(
  db: Database,
  match: Match,
  key: IdempotencyKey | undefined,
): Promise<Result<{ repeated: boolean }, MatchRefusal>> {
  const accountId = await resolveLoan(db, match.accountId);
  if (accountId === undefined) return refused({ kind: 'unknown_loan' });
  const saved = await saveMatch(db, { ...match, accountId }, key);
  if (!saved) return refused({ kind: 'unknown_posting' });
  if (saved.outcome === 'reused') return refused({ kind: 'key_reused' });
  if (saved.outcome === 'not_held') return refused({ kind: 'not_held', state: saved.state as PostingState });
  return ok({ repeated: saved.outcome === 'repeated' });
}
