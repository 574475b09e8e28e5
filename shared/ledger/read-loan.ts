// A loan, where it stands, and where it stood on a day. Undefined for a loan that is not open.

import type { Database } from '../database.ts';
import type { LoanBalances, LoanRecord } from './answers.ts';
import { balancesAsOf, findLoan } from './read-store.ts';

export const readRecord = (db: Database, loanId: string): Promise<LoanRecord | undefined> =>
  findLoan(db, loanId);

/** `asOf` YYYY-MM-DD: what is effective until then, whenever it was posted. */
export async function readBalances(
  db: Database,
  loanId: string,
  asOf?: string | undefined,
): Promise<LoanBalances | undefined> {
  const found = await findLoan(db, loanId);
  if (!found) return undefined;
  const { loan, position } = found;
  return {
    loan,
    version: position.version,
    balances: asOf === undefined ? position.balances : await balancesAsOf(db, loan, asOf),
    asOf,
    updatedAt: position.updatedAt,
  };
}
