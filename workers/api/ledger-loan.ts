// The loan that a path names, and how its ledger has it now.

import type { LoanFacts } from '../../shared/approvals/request.ts';
import { type LedgerLoan, readLedgerLoan } from '../../shared/read/ledger-loan.ts';
import { ok, type Result, refused } from '../../shared/result.ts';
import { type RequestContext, refuse } from '../app.ts';
import type { ApiSettings } from './env.ts';
import { callLedger, type LedgerRefusal, type Message } from './ledger-gateway.ts';
import { balanceOfAny, balanceOfLoan } from './ledger-messages.ts';
import { unnamedReads } from './sight.ts';

type C = RequestContext<ApiSettings>;

/** As people may write it in a path. */
export const anyName =
  'By any name of the loan: its id or number, or what belongs to it, as `GET /api/v1/accounts/:id` has it.';

export type Loan = LedgerLoan & { currency: string };

/** Or the answer that there is none. Of a loan whose currency nobody has said, the deployment's. */
export async function loanNamed(c: C, name: string): Promise<Result<Loan, Response>> {
  const loan = await readLedgerLoan(unnamedReads(c), name);
  if (!loan) return refused(refuse(c, 'not_found'));
  return ok({ ...loan, currency: loan.currency ?? c.get('settings').business.currency });
}

export type Balance = (ReturnType<typeof balanceOfLoan> | ReturnType<typeof balanceOfAny>) & {
  currency: string;
};

/** From a ledger that does not know of loans what every ledger has. */
export async function presentBalance(
  c: C,
  { accountId, currency }: Pick<Loan, 'accountId' | 'currency'>,
  asOf?: string,
): Promise<Result<Balance, LedgerRefusal>> {
  const ask = (service: 'accounting' | 'loans', method: string, more: Message = {}) =>
    callLedger(c, { service, method, message: { loanAccountId: accountId, ...more } }, { changes: false });
  const loan = await ask('loans', 'GetLoan', asOf === undefined ? {} : { asOfDate: asOf });
  if (loan.ok) return ok({ ...balanceOfLoan(loan.value), currency: String(loan.value.currency || currency) });
  if (loan.refusal.kind !== 'unsupported' || asOf !== undefined) return loan;
  const balance = await ask('accounting', 'GetBalance');
  return balance.ok ? ok({ ...balanceOfAny(balance.value), currency }) : balance;
}

/** What a decision about the loan is made from. */
export const factsOf = ({ version, currency, principal, fees, totalOutstanding }: Balance): LoanFacts => ({
  version: version ?? `${principal}/${fees}`,
  ...{ currency, principal, fees, totalOutstanding },
});
