// The methods that write, of both services: a message becomes a command, its answer a message. What a command may be is
// decided by the ledger; here is only who says what in which field.

import type { DisburseLoanResponse } from '../../../proto/generated/accounting_ledger.ts';
import type { Command, LedgerRefusal } from '../../../shared/ledger/command.ts';
import type { Answer, Posted } from '../../../shared/ledger/posting.ts';
import type { SchedulePlan } from '../../../shared/ledger/set-schedule.ts';
import { ok, type Result, refused } from '../../../shared/result.ts';
import type { LedgerMethods } from '../server.ts';
import { postingResponse, transactionResponse } from './messages.ts';
import type { Caller } from './method.ts';

/** Decides by itself whether it holds: it needs no key. */
export type SetSchedule = (plan: SchedulePlan) => Promise<Result<{ holds: boolean }, LedgerRefusal>>;
export type Submit = (command: Command, signal?: AbortSignal) => Promise<Answer>;

type AccountingWrites = Pick<
  LedgerMethods['accounting'],
  | 'recordRepayment'
  | 'applyFee'
  | 'applyLateFee'
  | 'applyDishonourFee'
  | 'waiveFee'
  | 'writeOff'
  | 'makeAdjustment'
  | 'disburseLoan'
>;
type LoanWrites = Pick<
  LedgerMethods['loans'],
  'openLoan' | 'setSchedule' | 'postPayment' | 'reverseTransfer' | 'writeOffPart'
>;

/** Each command without who asked: the caller is that, unless the message says it. */
const asking =
  (submit: Submit) =>
  async <Response>(
    { actor, signal }: Caller,
    command: DistributiveOmit<Command, 'actor'> & { actor?: string },
    answer: (posted: Posted) => Response,
  ) => {
    const answered = await submit({ ...command, actor: command.actor || actor } as Command, signal);
    return answered.ok ? ok(answer(answered.value)) : answered;
  };
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** An empty text says as little as an unset one. */
const given = (text: string | undefined) => text || undefined;
const keyOf = ({ idempotencyKey }: { idempotencyKey?: string | undefined }) => idempotencyKey ?? '';

export function accountingWrites(submit: Submit): AccountingWrites {
  const ask = asking(submit);
  return {
    recordRepayment: (m, caller) => {
      const paymentId = given(m.paymentId);
      const key = given(m.idempotencyKey) ?? (paymentId === undefined ? '' : `payment:${paymentId}`);
      return ask(
        caller,
        {
          kind: 'repayment',
          loanId: m.loanAccountId,
          key,
          amount: m.amount,
          paymentId,
          method: given(m.paymentMethod),
          reference: given(m.paymentReference),
          notes: given(m.notes),
          targetInstalment: m.targetPaymentNumber,
          scheduleId: given(m.scheduleId),
        },
        transactionResponse,
      );
    },
    applyFee: async (m, caller) => {
      const common = { loanId: m.loanAccountId, key: keyOf(m), amount: m.feeAmount, reason: given(m.reason) };
      if (m.feeType === 'late_fee')
        return ask(caller, { kind: 'late_fee', daysPastDue: 0, ...common }, transactionResponse);
      if (m.feeType === 'dishonour_fee')
        return ask(caller, { kind: 'dishonour_fee', ...common }, transactionResponse);
      return refused({ code: 'invalid_text', message: 'fee_type is neither late_fee nor dishonour_fee' });
    },
    applyLateFee: (m, caller) =>
      ask(
        caller,
        {
          kind: 'late_fee',
          loanId: m.loanAccountId,
          key: keyOf(m),
          amount: m.feeAmount,
          daysPastDue: m.daysPastDue,
          reason: given(m.reason),
        },
        transactionResponse,
      ),
    applyDishonourFee: (m, caller) =>
      ask(
        caller,
        {
          kind: 'dishonour_fee',
          loanId: m.loanAccountId,
          key: keyOf(m),
          amount: m.feeAmount,
          reason: given(m.reason),
          reference: given(m.referenceId),
        },
        transactionResponse,
      ),
    waiveFee: (m, caller) =>
      ask(
        caller,
        {
          kind: 'fee_waiver',
          loanId: m.loanAccountId,
          key: keyOf(m),
          amount: m.waiverAmount,
          reason: m.reason,
          approvedBy: m.approvedBy,
          notes: given(m.notes),
        },
        transactionResponse,
      ),
    writeOff: (m, caller) =>
      ask(
        caller,
        {
          kind: 'write_off',
          loanId: m.loanAccountId,
          key: keyOf(m),
          reason: m.reason,
          approvedBy: m.approvedBy,
        },
        transactionResponse,
      ),
    makeAdjustment: (m, caller) =>
      ask(
        caller,
        {
          kind: 'adjustment',
          loanId: m.loanAccountId,
          key: keyOf(m),
          principal: m.principalDelta || '0',
          fees: m.feeDelta || '0',
          reason: m.reason,
          approvedBy: m.approvedBy,
        },
        transactionResponse,
      ),
    disburseLoan: (m, caller) =>
      ask(
        caller,
        {
          kind: 'disbursement',
          loanId: m.loanAccountId,
          key: keyOf(m),
          amount: m.disbursementAmount,
          bankReference: m.bankReference,
          method: m.paymentMethod,
          notes: m.notes,
        },
        disbursementResponse,
      ),
  };
}

export function loanWrites(submit: Submit, setSchedule: SetSchedule): LoanWrites {
  const ask = asking(submit);
  return {
    openLoan: (m, caller) =>
      ask(
        caller,
        {
          kind: 'open',
          loanId: m.loanAccountId,
          key: m.idempotencyKey,
          actor: m.actor,
          disbursed: m.disbursed,
          terms: {
            accountNumber: m.accountNumber,
            customerId: m.customerId,
            applicationNumber: m.applicationNumber,
            currency: m.currency,
            principal: m.principal,
            establishmentFee: m.establishmentFee || '0',
            totalRepayable: given(m.totalRepayable),
            interestRateBps: m.interestRateBps,
            openedOn: m.openedOn,
            product: m.product,
          },
        },
        ({ loanId, version, replayed }) => ({
          loanAccountId: loanId,
          version: BigInt(version),
          idempotentReplay: replayed,
        }),
      ),
    setSchedule: async (m, caller) => {
      if (!m.madeAt || Number.isNaN(m.madeAt.getTime()))
        return refused({ code: 'invalid_date', message: 'made_at is missing, or is no time' });
      return setSchedule({
        loanId: m.loanAccountId,
        scheduleId: m.scheduleId,
        currency: m.currency,
        instalments: m.instalments.map(({ paymentNumber, dueDate, amount }) => ({
          number: paymentNumber,
          dueOn: dueDate,
          amount,
        })),
        madeAt: m.madeAt,
        actor: m.actor || caller.actor,
      });
    },
    postPayment: (m, caller) =>
      ask(
        caller,
        {
          kind: 'repayment',
          loanId: m.loanAccountId,
          key: m.idempotencyKey,
          actor: m.actor,
          amount: m.amount,
          currency: m.currency,
          effectiveOn: given(m.effectiveDate),
          paymentId: given(m.paymentId),
          reference: given(m.paymentReference),
          targetInstalment: m.targetPaymentNumber,
        },
        postingResponse,
      ),
    reverseTransfer: (m, caller) =>
      ask(
        caller,
        {
          kind: 'reversal',
          loanId: m.loanAccountId,
          key: m.idempotencyKey,
          actor: m.actor,
          transferId: m.transactionId,
          amount: given(m.amount),
          effectiveOn: given(m.effectiveDate),
          reason: m.reason,
        },
        postingResponse,
      ),
    writeOffPart: (m, caller) =>
      ask(
        caller,
        {
          kind: 'write_off',
          loanId: m.loanAccountId,
          key: m.idempotencyKey,
          actor: m.actor,
          amount: m.amount,
          currency: m.currency,
          reason: m.reason,
          approvedBy: m.approvedBy,
        },
        postingResponse,
      ),
  };
}

function disbursementResponse({ transfers, replayed }: Posted): DisburseLoanResponse {
  const idOf = (kind: string) => transfers.find((transfer) => transfer.kind === kind)?.id ?? '';
  return {
    success: true,
    message: 'disbursed',
    disbursementTransactionId: idOf('disbursement'),
    feeTransactionId: idOf('establishment_fee'),
    eventId: idOf('disbursement'),
    idempotentReplay: replayed,
  };
}
