// That somebody came back from a provider that did not vouch for them, for the audit trail. Who it was nobody knows.

import type { Database } from '../database.ts';
import { noteFailure } from './sign-in-store.ts';

export const noteUnvouched = (db: Database, because: string): Promise<void> =>
  noteFailure(db, null, { because, method: 'oidc' });
