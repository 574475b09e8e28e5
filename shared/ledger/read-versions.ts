// The versions of several loans, for those who watch them.

import type { Database } from '../database.ts';
import { versions } from './watch-store.ts';

/** Unknown loans have none. */
export const readVersions = (
  db: Database,
  loanIds: readonly string[],
): Promise<[loanId: string, version: number][]> => versions(db, loanIds);
