// The ledger's SQL of what is told of payouts.

import type { Database } from '../database.ts';

/** Nothing is noted about a loan that is disbursed already: most events are about those. */
export async function notePayout(db: Database, loanId: string, effectiveOn: string): Promise<boolean> {
  const [row] = await db.query<{ waits: boolean }>(
    `with loan as (select disbursed > 0 as is_disbursed from ledger.positions where loan_id = $1),
     noted as (
       insert into ledger.payouts (loan_id, effective_on)
       select $1, $2::date where not exists (select from loan where is_disbursed)
       on conflict do nothing)
     select exists (select from loan where not is_disbursed) as waits`,
    [loanId, effectiveOn],
  );
  return row?.waits === true;
}

export async function findPayout(db: Database, loanId: string): Promise<string | undefined> {
  const [row] = await db.query<{ on: string }>(
    'select effective_on::text as on from ledger.payouts where loan_id = $1',
    [loanId],
  );
  return row?.on;
}
