// Staff put quarantined rows right. A correction keeps what was there before and who changed it; a release puts rows
// back to be processed like any other. A row that is not quarantined is left alone.

import type { Database } from '../database.ts';
import type { StagedRow } from './staged-row.ts';
import { saveCorrection, saveRelease } from './store.ts';

/** The most that one call releases. */
export const releaseLimit = 10_000;

/**
 * `changes` has the new values of some columns; metadata is JSON text. False when no row of this id is quarantined.
 * Throws DatabaseFault.
 */
export function correctStaged(
  db: Database,
  correction: { id: string; changes: Partial<StagedRow>; note: string | null; actor: string },
): Promise<boolean> {
  const { metadata, ...texts } = correction.changes;
  const members = Object.entries(texts).map(
    ([column, text]) => `${JSON.stringify(column)}:${JSON.stringify(text)}`,
  );
  // Spliced in as it is, so that its numbers keep their digits.
  if (metadata !== undefined) members.push(`"metadata":${metadata}`);
  return saveCorrection(db, { ...correction, changes: `{${members.join(',')}}` });
}

/** Answers how many were released: the oldest `releaseLimit` at most. Throws DatabaseFault; safe to repeat. */
export const releaseStaged = (
  db: Database,
  release: { ids: readonly string[] | null; reason: string | null; note: string | null; actor: string },
): Promise<number> => saveRelease(db, { ...release, limit: releaseLimit });
