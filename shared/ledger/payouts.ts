// What events say about a loan having been paid out: kept until the loan is disbursed, because they may come before the
// event that opens it.

import type { Database } from '../database.ts';
import { findPayout, notePayout } from './payout-store.ts';

/** Of several days the one that was told first stays. Answers whether the loan is open and waits for its disbursement. */
export const tellPayout = (db: Database, loanId: string, effectiveOn: string): Promise<boolean> =>
  notePayout(db, loanId, effectiveOn);

/** The day as of which the loan was paid out, as far as it has been told. */
export const payoutOf = (db: Database, loanId: string): Promise<string | undefined> => findPayout(db, loanId);
