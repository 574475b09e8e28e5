// That a service came for a token with its key, for the audit trail.

import type { Database } from '../database.ts';
import type { Service } from './caller.ts';
import { noteService } from './sign-in-store.ts';

/** `service`: whose key it was, where it was anybody's. */
export const noteServiceSignIn = (
  db: Database,
  outcome: 'succeeded' | 'failed',
  service: Service | undefined,
): Promise<void> => noteService(db, `sign_in.${outcome}`, service?.prefix ?? null);
