// What a ledger is asked to do, and what it answers. Every command is about one loan and has a key: the same key with
// the same command is answered as the first time, with another one it is refused.

/** Amounts are decimal text in major units of the loan's currency, read when the loan is known. Dates are YYYY-MM-DD. */
interface Asked {
  loanId: string;
  key: string;
  /** Who asked, as the audit trail writes it. */
  actor: string;
}

export interface Terms {
  accountNumber: string;
  customerId: string;
  applicationNumber: string;
  currency: string;
  principal: string;
  establishmentFee: string;
  /** Undefined: there is no interest by schedule. */
  totalRepayable?: string | undefined;
  /** Simple interest a year, accrued by day on the principal. */
  interestRateBps: number;
  openedOn: string;
  product: string;
}

export type Command = Asked &
  (
    | { kind: 'open'; terms: Terms; disbursed: boolean }
    | {
        kind: 'disbursement';
        /** Undefined: that of the terms. */
        amount?: string | undefined;
        /** Undefined: today. */
        effectiveOn?: string | undefined;
        bankReference?: string | undefined;
        method?: string | undefined;
        notes?: string | undefined;
        attachment?: string | undefined;
      }
    | {
        kind: 'repayment';
        amount: string;
        /** Undefined: the loan's. */
        currency?: string | undefined;
        /** Undefined: today. */
        effectiveOn?: string | undefined;
        paymentId?: string | undefined;
        method?: string | undefined;
        reference?: string | undefined;
        notes?: string | undefined;
        targetInstalment?: number | undefined;
        scheduleId?: string | undefined;
      }
    | { kind: 'late_fee'; amount: string; daysPastDue: number; reason?: string | undefined }
    | { kind: 'dishonour_fee'; amount: string; reason?: string | undefined; reference?: string | undefined }
    | { kind: 'fee_waiver'; amount: string; reason: string; approvedBy: string; notes?: string | undefined }
    /** Amount undefined: all that is owed. */
    | {
        kind: 'write_off';
        amount?: string | undefined;
        currency?: string | undefined;
        reason: string;
        approvedBy: string;
      }
    | { kind: 'adjustment'; principal: string; fees: string; reason: string; approvedBy: string }
    /** Amount undefined: all of the transfer that is not reversed yet. */
    | {
        kind: 'reversal';
        transferId: string;
        amount?: string | undefined;
        effectiveOn?: string | undefined;
        reason: string;
      }
  );

/** Why a command changes nothing. A command that was refused may be asked again under its key, and is decided anew. */
export type RefusalCode =
  | 'unknown_loan'
  | 'loan_is_open_otherwise'
  | 'key_missing'
  /** A text that is empty, too long or holds what no database keeps. */
  | 'invalid_text'
  | 'key_reused'
  | 'invalid_amount'
  | 'currency_mismatch'
  | 'invalid_date'
  | 'not_disbursed'
  | 'already_disbursed'
  | 'amount_differs_from_terms'
  | 'exceeds_fees'
  | 'exceeds_owed'
  | 'nothing_owed'
  | 'unknown_instalment'
  | 'unknown_transfer'
  | 'not_reversible'
  | 'exceeds_reversible';

export interface LedgerRefusal {
  code: RefusalCode;
  /** For people; names no person. */
  message: string;
}
