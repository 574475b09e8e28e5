// What staff have a ledger do to one loan, whole and exact, so that it can wait for an approval and be sent later as it
// was asked for; and how each is said in the ledger's contract (proto/). Pure.

interface Asked {
  accountId: string;
  currency: string;
}

/** Amounts are decimal text in major units with exactly the currency's decimals. */
export type StaffCommand = Asked &
  (
    | {
        kind: 'repayment';
        amount: string;
        paymentMethod?: string | undefined;
        reference?: string | undefined;
        notes?: string | undefined;
        targetInstalment?: number | undefined;
        scheduleId?: string | undefined;
      }
    | { kind: 'late_fee'; amount: string; daysPastDue: number; reason?: string | undefined }
    | { kind: 'dishonour_fee'; amount: string; reason?: string | undefined; reference?: string | undefined }
    | { kind: 'fee_waiver'; amount: string; reason: string; notes?: string | undefined }
    | { kind: 'write_off'; amount: string; reason: string }
    | { kind: 'adjustment'; principalDelta: string; feeDelta: string; reason: string }
    | {
        kind: 'disbursement';
        amount: string;
        reason: string;
        bankReference: string;
        paymentMethod: string;
        attachmentLocation?: string | undefined;
      }
  );

/** A method of one of the contract's two services, and its message as protobuf's JSON. */
export interface LedgerCall {
  service: 'accounting' | 'loans';
  method: string;
  message: Record<string, unknown>;
}

export interface SaidBy {
  /** The ledger does it once under this key. */
  key: string;
  actor: string;
  /** Whoever answers for it. */
  approvedBy: string;
}

export function callOf(command: StaffCommand, { key, actor, approvedBy }: SaidBy): LedgerCall {
  const common = { loanAccountId: command.accountId, idempotencyKey: key };
  const accounting = (method: string, message: LedgerCall['message']): LedgerCall => ({
    service: 'accounting',
    method,
    message: { ...common, ...message },
  });
  switch (command.kind) {
    case 'repayment':
      return accounting('RecordRepayment', {
        amount: command.amount,
        paymentMethod: command.paymentMethod,
        paymentReference: command.reference,
        notes: command.notes,
        targetPaymentNumber: command.targetInstalment,
        scheduleId: command.scheduleId,
      });
    case 'late_fee':
      return accounting('ApplyLateFee', {
        feeAmount: command.amount,
        daysPastDue: command.daysPastDue,
        reason: command.reason,
      });
    case 'dishonour_fee':
      return accounting('ApplyDishonourFee', {
        feeAmount: command.amount,
        reason: command.reason,
        referenceId: command.reference,
      });
    case 'fee_waiver':
      return accounting('WaiveFee', {
        waiverAmount: command.amount,
        reason: command.reason,
        approvedBy,
        notes: command.notes,
      });
    // Its amount is said, also of all that is owed: what is owed may have changed by the time it gets there.
    case 'write_off':
      return {
        service: 'loans',
        method: 'WriteOffPart',
        message: {
          ...common,
          amount: command.amount,
          currency: command.currency,
          reason: command.reason,
          approvedBy,
          actor,
        },
      };
    case 'adjustment':
      return accounting('MakeAdjustment', {
        principalDelta: command.principalDelta,
        feeDelta: command.feeDelta,
        reason: command.reason,
        approvedBy,
      });
    case 'disbursement':
      return accounting('DisburseLoan', {
        disbursementAmount: command.amount,
        bankReference: command.bankReference,
        paymentMethod: command.paymentMethod,
        attachmentLocation: command.attachmentLocation ?? '',
        notes: command.reason,
      });
  }
}

/** The id of the transaction in the answer to such a call; of a disbursement the money's, not the fee's. */
export function transactionIdIn(answer: Record<string, unknown>): string | undefined {
  const inner = (answer.answer ?? answer) as { transaction?: { transactionId?: unknown } };
  const id = inner.transaction?.transactionId ?? answer.disbursementTransactionId;
  return typeof id === 'string' && id !== '' ? id : undefined;
}
