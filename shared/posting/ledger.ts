// What posting may know of a ledger: it is asked for one transfer under a key, and says what became of it. Asked again
// under the same key it answers as the first time, which is what makes a posting happen once.

interface Asked {
  /** The same each time that this is asked for. */
  key: string;
  /** Who is behind it, as the audit trail writes it. */
  actor: string;
  loanId: string;
  /** Decimal text in major units. */
  amount: string;
  currency: string;
  /** YYYY-MM-DD. */
  effectiveOn: string;
}

export interface PaymentToPost extends Asked {
  paymentId: string;
  reference: string;
}

export interface ReversalToPost extends Asked {
  /** The ledger's id of the transfer that is taken back, in part or whole. */
  transferId: string;
  reason: string;
}

export type LedgerAnswer =
  /** Now or before. `version` is the loan's, where the ledger has such. */
  | { outcome: 'posted'; transferId: string; version: string | null }
  /** Nothing was posted, and the key is free. */
  | { outcome: 'refused'; code: string; message: string }
  /** Nothing was posted: the ledger is away, or has too much to do. */
  | { outcome: 'unavailable'; message: string }
  /** Nobody knows whether it was posted. */
  | { outcome: 'unknown'; message: string };

export interface Ledger {
  /** Takes the money whole, whatever the loan owes. Answers within a time it bounds itself, and does not throw. */
  post(payment: PaymentToPost): Promise<LedgerAnswer>;
  reverse(reversal: ReversalToPost): Promise<LedgerAnswer>;
  /** Whether it would take something now. Does not throw. */
  isServing(): Promise<boolean>;
}
