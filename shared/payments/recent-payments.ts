// The payments recorded last, as far as a memory of recorded payments needs to know them.

import type { Database } from '../database.ts';
import type { RecentPayment } from './payment.ts';
import { latestPayments } from './store.ts';

/** Newest first, `most` at most. Throws DatabaseFault. */
export const recentPayments = (db: Database, most: number): Promise<RecentPayment[]> =>
  latestPayments(db, most);
