// The loan that a name stands for, as far as asking its ledger about it needs.

import type { Database } from '../database.ts';
import { loanNamed } from './resolve.ts';

export interface LedgerLoan {
  accountId: string;
  accountNumber: string | null;
  customerId: string | null;
  /** Null while no event has said it. */
  currency: string | null;
}

/** Undefined when nothing is named so. Throws DatabaseFault. */
export async function readLedgerLoan(db: Database, name: string): Promise<LedgerLoan | undefined> {
  const [row] = await db.query<LedgerLoan>(
    `select me.account_id as "accountId", l.account_number as "accountNumber", l.customer_id as "customerId", l.currency
     from (${loanNamed('$1::text')}) me left join servicing.loan_accounts l on l.account_id = me.account_id`,
    [name],
  );
  return row;
}
