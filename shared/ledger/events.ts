// What the ledger tells servicing. Each type is one that the projector folds (shared/servicing/events/).

import { uuidOf } from '../id.ts';
import type { LoanState } from './loan.ts';
import { toDecimal } from './minor.ts';
import { totalOf } from './posting.ts';

export interface LedgerEvent {
  id: string;
  type: string;
  loanId: string;
  payload: string;
}

const space = '0d7c1a5e-6f0b-5d1c-9a43-2b6d8c1f7e90';

/** Of a loan's last transfer: one that tells of a later version tells all. */
export const balanceChanged = ({ loan, position }: LoanState): LedgerEvent => ({
  id: uuidOf(space, `balance ${position.version} ${loan.loanId}`),
  type: 'ledger.balance.changed.v1',
  loanId: loan.loanId,
  payload: JSON.stringify({
    account_id: loan.loanId,
    version: position.version,
    total_outstanding: toDecimal(totalOf(position.balances), loan.currency),
    currency: loan.currency,
  }),
});
