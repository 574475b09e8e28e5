// Puts a payment on other loans than it was posted to, whole or in parts, by reversal and new posting. Said is where it is
// to be in the end, so that to say it twice moves nothing twice.

import type { Database } from '../database.ts';
import type { IdempotencyKey } from '../operations/idempotency-key.ts';
import { resolveLoan } from '../read/resolve.ts';
import { ok, type Result, refused } from '../result.ts';
import { type Move, saveMove } from './store.ts';

export type MoveRefusal =
  | { kind: 'unknown_payment' | 'key_reused' | 'unsettled' | 'nothing_posted' | 'too_many_decimals' }
  | { kind: 'unknown_loan'; index: number }
  /** What there is to move, as decimal text. */
  | { kind: 'sum_differs'; posted: string; currency: string };

export interface Moved {
  /** Null when all of it is there already. */
  moveId: string | null;
  repeated: boolean;
}

/** An `accountId` is any name of a loan. Throws DatabaseFault. */
export async function movePayment(
  db: Database,
  move: Move,
  key: IdempotencyKey | undefined,
): Promise<Result<Moved, MoveRefusal>> {
  const to: Array<Move['to'][number]> = [];
  for (const [index, { accountId: name, amount }] of move.to.entries()) {
    const accountId = await resolveLoan(db, name);
    if (accountId === undefined) return refused({ kind: 'unknown_loan', index });
    to.push({ accountId, amount });
  }
  const saved = await saveMove(db, { ...move, to }, key);
  switch (saved?.outcome) {
    case undefined:
      return refused({ kind: 'unknown_payment' });
    case 'moved':
    case 'unchanged':
    case 'repeated':
      return ok({ moveId: saved.moveId, repeated: saved.outcome === 'repeated' });
    case 'sum_differs':
      return refused({ kind: 'sum_differs', posted: saved.posted ?? '0', currency: saved.currency ?? '' });
    case 'reused':
      return refused({ kind: 'key_reused' });
    case 'unsettled':
    case 'nothing_posted':
    case 'too_many_decimals':
      return refused({ kind: saved.outcome });
  }
}
