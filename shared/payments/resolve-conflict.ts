// Staff decide what becomes of a conflict: accepted, it is a payment of its own, linked to the first and announced
// like any other; dismissed, it stays on record with the reason. The first decision stands, asked again it is told.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import { conflictNamespace, paymentIdOf, recordedEventIdOf } from './payment.ts';
import { conflictReference, saveAcceptedConflict, saveDismissedConflict } from './store.ts';

export type ConflictRefusal =
  | { kind: 'unknown_conflict' }
  | { kind: 'already_decided'; status: 'accepted' | 'dismissed' };

export async function acceptConflict(
  db: Database,
  decision: { conflictId: string; reason: string | null; actor: string },
): Promise<Result<{ paymentId: string }, ConflictRefusal>> {
  const referenceNumber = await conflictReference(db, decision.conflictId);
  if (referenceNumber === undefined) return refused({ kind: 'unknown_conflict' });
  const id = await paymentIdOf({ namespace: conflictNamespace(decision.conflictId), referenceNumber });
  const eventId = await recordedEventIdOf(id);
  const before = await saveAcceptedConflict(db, { ...decision, id, eventId });
  if (before === undefined) return refused({ kind: 'unknown_conflict' });
  if (before === 'dismissed') return refused({ kind: 'already_decided', status: before });
  return ok({ paymentId: id });
}

export async function dismissConflict(
  db: Database,
  decision: { conflictId: string; reason: string; actor: string },
): Promise<Result<undefined, ConflictRefusal>> {
  const before = await saveDismissedConflict(db, decision);
  if (before === undefined) return refused({ kind: 'unknown_conflict' });
  if (before === 'accepted') return refused({ kind: 'already_decided', status: before });
  return ok(undefined);
}
