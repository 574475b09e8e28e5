// Takes events out of the inbox on loan: whoever has not settled them within `leaseMs` has lost them to the next one.

import type { Database } from '../database.ts';
import { type ClaimedRow, claim } from './store.ts';

/** At most `limit`, in the order in which they came; what somebody else has on loan is passed over. */
export const claimEvents = (db: Database, limit: number, leaseMs: number): Promise<ClaimedRow[]> =>
  claim(db, limit, leaseMs);
