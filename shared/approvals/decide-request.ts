// A request is approved, rejected or taken back, once. The first decision stands; whoever made it may repeat it. Nobody
// decides what they asked for themselves, and nobody but them takes it back; the database refuses the former as well.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Person } from '../staff/caller.ts';
import type { LoanFacts } from './request.ts';
import { saveCancellation, saveDecision } from './store.ts';

export type DecideRefusal =
  | { kind: 'unknown_request' }
  | { kind: 'own_request' }
  | { kind: 'not_own_request' }
  | { kind: 'already_decided'; decision: string };

export interface Decision {
  id: string;
  /** As the request has it. */
  maker: string;
  decision: 'approved' | 'rejected';
  note: string | null;
  /** Of the loan now, of an approval. */
  facts: LoanFacts | null;
}

/** What was approved is executed: it may say so by the time it is approved again. */
const isDecision = (status: string, decision: string) =>
  status === decision || (decision === 'approved' && (status === 'executed' || status === 'failed'));

/** Throws DatabaseFault; safe to repeat. */
export async function decideRequest(
  db: Database,
  checker: Person,
  { maker, ...decision }: Decision,
): Promise<Result<undefined, DecideRefusal>> {
  if (maker === checker.actor) return refused({ kind: 'own_request' });
  const decided = await saveDecision(db, { ...decision, checker: checker.actor });
  if (!decided) return refused({ kind: 'unknown_request' });
  const { before, by } = decided;
  const isRepeated = by === checker.actor && isDecision(before, decision.decision);
  return before === 'requested' || isRepeated
    ? ok(undefined)
    : refused({ kind: 'already_decided', decision: before });
}

/** Throws DatabaseFault; safe to repeat. */
export async function cancelRequest(
  db: Database,
  asking: Person,
  { id, note }: { id: string; note: string | null },
): Promise<Result<undefined, DecideRefusal>> {
  const before = await saveCancellation(db, { id, maker: asking.actor, note });
  if (before === null) return refused({ kind: 'unknown_request' });
  if (before === 'not_own') return refused({ kind: 'not_own_request' });
  return before === 'requested' || before === 'cancelled'
    ? ok(undefined)
    : refused({ kind: 'already_decided', decision: before });
}
