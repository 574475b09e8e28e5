// The ledger as posting asks it. Ours is asked by loan_ledger.proto. One that serves accounting_ledger.proto alone is told
// of payments by RecordRepayment, which knows neither currency nor date: they are the loan's and the day's; reversals it
// cannot be asked for, and they are held.

import { AccountingLedgerServiceService } from '../../proto/generated/accounting_ledger.ts';
import { LoanLedgerServiceService } from '../../proto/generated/loan_ledger.ts';
import type { Ledger, LedgerAnswer, PaymentToPost } from '../../shared/posting/ledger.ts';
import type { Result } from '../../shared/result.ts';
import type { LedgerClient } from '../ledger-client.ts';
import type { LedgerFailure } from '../ledger-failure.ts';
import type { LedgerServiceName } from '../ledger-settings.ts';

export function ledgerOver(client: LedgerClient, services: readonly LedgerServiceName[]): Ledger {
  const postPayment = async (p: PaymentToPost) => {
    const request = {
      loanAccountId: p.loanId,
      amount: p.amount,
      currency: p.currency,
      effectiveDate: p.effectiveOn,
      paymentId: p.paymentId,
      paymentReference: p.reference,
      actor: p.actor,
      idempotencyKey: p.key,
    };
    const answer = await client.call(LoanLedgerServiceService.postPayment, request, { actor: p.actor });
    return answered(answer, ({ answer, version }) => [answer?.transaction?.transactionId, String(version)]);
  };
  const recordRepayment = async (p: PaymentToPost) => {
    const request = {
      loanAccountId: p.loanId,
      amount: p.amount,
      paymentId: p.paymentId,
      paymentReference: p.reference,
      idempotencyKey: p.key,
    };
    const answer = await client.call(AccountingLedgerServiceService.recordRepayment, request, {
      actor: p.actor,
    });
    return answered(answer, ({ transaction }) => [transaction?.transactionId, null]);
  };
  return {
    post: services.includes('loans') ? postPayment : recordRepayment,
    async reverse(r) {
      const request = {
        loanAccountId: r.loanId,
        transactionId: r.transferId,
        amount: r.amount,
        effectiveDate: r.effectiveOn,
        reason: r.reason,
        actor: r.actor,
        idempotencyKey: r.key,
      };
      const answer = await client.call(LoanLedgerServiceService.reverseTransfer, request, { actor: r.actor });
      return answered(answer, ({ answer, version }) => [answer?.transaction?.transactionId, String(version)]);
    },
    isServing: async () => (await client.health()) === 'serving',
  };
}

function answered<Response>(
  answer: Result<Response, LedgerFailure>,
  read: (response: Response) => [transferId: string | undefined, version: string | null],
): LedgerAnswer {
  if (!answer.ok) return failed(answer.refusal);
  const [transferId, version] = read(answer.value);
  // It says yes and not to what; under the same key it may say more.
  if (!transferId) return { outcome: 'unknown', message: 'the ledger named no transaction' };
  return { outcome: 'posted', transferId, version };
}

/** What a call that was not answered as asked comes to. */
export function failed(failure: LedgerFailure): Exclude<LedgerAnswer, { outcome: 'posted' }> {
  switch (failure.kind) {
    case 'refused':
      return { outcome: 'refused', code: failure.code, message: failure.message };
    case 'unsupported':
      return {
        outcome: 'refused',
        code: 'not_supported_by_ledger',
        message: `this ledger has no ${failure.method}`,
      };
    case 'overloaded':
      return { outcome: 'unavailable', message: 'the ledger has too much to do' };
    case 'unavailable':
      return { outcome: 'unavailable', message: `the ledger is away: ${failure.because}` };
    case 'outcome_unknown':
      return { outcome: 'unknown', message: `the ledger has not answered: ${failure.because}` };
  }
}
