// What the ledger has posted as the contract's messages. accounting_ledger.proto knows neither interest nor reversals:
// both are adjustments there, and `metadata` says what they are; total_delta and total_after have interest in them.

import {
  type InstalmentAllocation,
  type Transaction,
  type TransactionResponse,
  TransactionType,
} from '../../../proto/generated/accounting_ledger.ts';
import type {
  AccountBalance,
  PostingResponse,
  Transfer as TransferMessage,
} from '../../../proto/generated/loan_ledger.ts';
import {
  type Account,
  type AppliedInstalment,
  accounts,
  type Balances,
  type Posted,
  type Transfer,
  type TransferKind,
  totalOf,
} from '../../../shared/ledger/posting.ts';
import { formatAmount } from '../../../shared/money.ts';

export const typeOf: Record<TransferKind, TransactionType> = {
  disbursement: TransactionType.DISBURSEMENT,
  establishment_fee: TransactionType.ESTABLISHMENT_FEE,
  interest: TransactionType.ADJUSTMENT,
  repayment: TransactionType.REPAYMENT,
  late_fee: TransactionType.LATE_FEE,
  dishonour_fee: TransactionType.DISHONOUR_FEE,
  fee_waiver: TransactionType.FEE_WAIVER,
  write_off: TransactionType.WRITE_OFF,
  adjustment: TransactionType.ADJUSTMENT,
  reversal: TransactionType.ADJUSTMENT,
  accrual: TransactionType.ADJUSTMENT,
};

const descriptions: Record<TransferKind, string> = {
  disbursement: 'Disbursement',
  establishment_fee: 'Establishment fee',
  interest: 'Interest by schedule',
  repayment: 'Repayment',
  late_fee: 'Late fee',
  dishonour_fee: 'Dishonour fee',
  fee_waiver: 'Fee waived',
  write_off: 'Written off',
  adjustment: 'Adjustment',
  reversal: 'Reversal',
  accrual: 'Interest accrued',
};

export const descriptionOf = ({ kind, reverses }: Transfer): string =>
  reverses ? `Reversal: ${descriptions[reverses.kind].toLowerCase()}` : descriptions[kind];

export const moneyIn =
  (currency: string) =>
  (amountMinor: bigint): string =>
    formatAmount({ amountMinor, currency });

export function transactionOf(transfer: Transfer): Transaction {
  const { id, loanId, kind, entries, after, facts, reason, reverses } = transfer;
  const money = moneyIn(transfer.currency);
  const metadata = {
    kind,
    version: String(transfer.version),
    currency: transfer.currency,
    interest_delta: money(entries.interest),
    interest_after: money(after.interest),
    suspense_after: money(after.suspense),
    reverses: reverses?.id,
    reason,
    approved_by: facts.approvedBy,
    payment_method: facts.method,
    days_past_due: facts.daysPastDue?.toString(),
    schedule_id: facts.scheduleId,
  };
  return {
    transactionId: id,
    loanAccountId: loanId,
    type: typeOf[kind],
    transactionDate: transfer.recordedAt,
    effectiveDate: transfer.effectiveOn,
    principalDelta: money(entries.principal),
    feeDelta: money(entries.fees),
    principalAfter: money(after.principal),
    feeAfter: money(after.fees),
    totalDelta: money(totalOf(entries)),
    totalAfter: money(totalOf(after)),
    description: descriptionOf(transfer),
    ...referenceOf(transfer),
    metadata: Object.fromEntries(Object.entries(metadata).filter(([, value]) => value)) as Record<
      string,
      string
    >,
    createdBy: transfer.actor,
    createdAt: transfer.recordedAt,
    portfolioEntryId: '',
    notes: facts.notes,
  };
}

function referenceOf({ reverses, paymentId, reference }: Transfer) {
  if (reverses) return { referenceType: 'transaction', referenceId: reverses.id };
  if (paymentId) return { referenceType: 'payment', referenceId: paymentId };
  return reference
    ? { referenceType: 'bank_reference', referenceId: reference }
    : { referenceType: '', referenceId: '' };
}

const appliedOf =
  (money: (minor: bigint) => string) =>
  ({ number, dueOn, amount, applied, remaining }: AppliedInstalment): InstalmentAllocation => ({
    paymentNumber: number,
    amountApplied: money(applied),
    instalmentStatus: remaining === 0n ? 'paid' : remaining < amount ? 'partial' : 'pending',
    amountRemaining: money(remaining),
    dueDate: dueOn,
    scheduledAmount: money(amount),
  });

/** The command's own transfer; what was posted with it follows in GetTransactions. */
function firstOf({ transfers: [first] }: Posted): Transfer {
  if (!first) throw new Error('a command was posted without a transfer');
  return first;
}

const isRepayment = ({ kind, reverses }: Transfer) =>
  kind === 'repayment' || (kind === 'reversal' && reverses?.kind === 'repayment');

export function transactionResponse(posted: Posted): TransactionResponse {
  const first = firstOf(posted);
  const money = moneyIn(posted.currency);
  const allocated = (account: Account) => (isRepayment(first) ? money(-first.entries[account]) : undefined);
  return {
    transaction: transactionOf(first),
    eventId: first.id,
    allocatedToFees: allocated('fees'),
    allocatedToPrincipal: allocated('principal'),
    overpayment: isRepayment(first) ? money(posted.overpayment) : undefined,
    idempotentReplay: posted.replayed,
    appliedToInstalments: first.instalments.map(appliedOf(money)),
    allocationWarning: first.warning,
  };
}

export function postingResponse(posted: Posted): PostingResponse {
  const first = firstOf(posted);
  return {
    answer: transactionResponse(posted),
    version: BigInt(posted.version),
    currency: posted.currency,
    allocatedToInterest: isRepayment(first) ? moneyIn(posted.currency)(-first.entries.interest) : undefined,
  };
}

/** All eight, or with `touched` those that are not zero. */
export const balancesOf = (balances: Balances, currency: string, touched = false): AccountBalance[] =>
  accounts
    .filter((account) => !touched || balances[account] !== 0n)
    .map((account) => ({ account, amount: moneyIn(currency)(balances[account]) }));

export const transferOf = (transfer: Transfer): TransferMessage => ({
  transactionId: transfer.id,
  loanAccountId: transfer.loanId,
  version: BigInt(transfer.version),
  kind: transfer.kind,
  currency: transfer.currency,
  entries: balancesOf(transfer.entries, transfer.currency, true),
  effectiveDate: transfer.effectiveOn,
  recordedAt: transfer.recordedAt,
  actor: transfer.actor,
  reverses: transfer.reverses?.id,
  reason: transfer.reason,
  paymentId: transfer.paymentId,
});
