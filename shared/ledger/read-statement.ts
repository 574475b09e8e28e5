// A statement of a period by effective date: what was owed before, what changed it, what is owed after. Undefined for a
// loan that is not open.

import type { Database } from '../database.ts';
import type { Statement, StatementLine } from './answers.ts';
import { type Transfer, totalOf } from './posting.ts';
import { balancesAsOf, findLoan, transfersOfPeriod } from './read-store.ts';

/** Both days included. */
export async function readStatement(
  db: Database,
  loanId: string,
  from: string,
  to: string,
): Promise<Statement | undefined> {
  const found = await findLoan(db, loanId);
  if (!found) return undefined;
  const { loan, position } = found;
  const transfers = await transfersOfPeriod(db, loanId, from, to);
  const closing = totalOf(await balancesAsOf(db, loan, to));
  const changes = transfers.map((transfer) => ({ transfer, change: totalOf(transfer.entries) }));
  let balance = changes.reduce((rest, { change }) => rest - change, closing);
  const opening = balance;
  const lines: StatementLine[] = [];
  for (const { transfer, change } of changes) {
    if (change === 0n) continue;
    balance += change;
    lines.push({ transfer, change, balance });
  }
  const sum = (some: (transfer: Transfer) => boolean, of: (transfer: Transfer) => bigint) =>
    transfers.filter(some).reduce((total, transfer) => total + of(transfer), 0n);
  const kindOf = ({ kind, reverses }: Transfer) => reverses?.kind ?? kind;
  return {
    loan,
    disbursed: position.disbursed,
    opening,
    closing,
    charged: sum(
      (one) => charges.has(kindOf(one)),
      ({ entries }) => entries.fees + entries.interest,
    ),
    received: sum(
      (one) => kindOf(one) === 'repayment',
      ({ entries }) => entries.cash,
    ),
    lines,
  };
}

const charges = new Set<string>(['establishment_fee', 'interest', 'late_fee', 'dishonour_fee', 'accrual']);
