// The transfers of a loan: a filtered list for people, and one after the other for those who follow.

import type { Database } from '../database.ts';
import { isUuid } from '../id.ts';
import type { TransferFilter, Transfers } from './answers.ts';
import type { Transfer } from './posting.ts';
import { findLoan, listTransfers, transferById, transfersFrom } from './read-store.ts';

/** Undefined for a loan that is not open. */
export async function readTransfers(
  db: Database,
  loanId: string,
  filter: TransferFilter,
): Promise<Transfers | undefined> {
  const listed = await listTransfers(db, loanId, filter);
  if (listed.total === 0 && !(await findLoan(db, loanId))) return undefined;
  return listed;
}

/** Those of later versions, oldest first; versions have no gaps. None for a loan that is not open. */
export const transfersAfter = (
  db: Database,
  loanId: string,
  version: number,
  limit: number,
): Promise<Transfer[]> => transfersFrom(db, loanId, version, limit);

export const findTransfer = async (db: Database, id: string): Promise<Transfer | undefined> =>
  isUuid(id) ? transferById(db, id) : undefined;
