// A posting: one thing that the ledger is asked to post for a payment, and what has become of it. Pure.
//
//   waiting   for another posting of its payment: a reversal for what it reverses, a moved part for where it was before
//   pending   the ledger is asked; it may have posted it already
//   held      the loan is not known, or the ledger has said no: nothing is posted. Tried again from time to time
//   posted    the ledger has it
//   void      a payment that was taken back before it was posted, and what took it back

export const postingStates = ['waiting', 'pending', 'held', 'posted', 'void'] as const;
export type PostingState = (typeof postingStates)[number];

/** A recorded payment, as the outbox tells it. Amounts are decimal text. */
export interface PaymentTold {
  paymentId: string;
  referenceNumber: string;
  loanAccountNumber: string;
  amount: string;
  currency: string;
  paidOn: string;
  actor: string;
}

export interface ReversalTold {
  paymentId: string;
  reversalId: string;
  amount: string;
  currency: string;
  reason: string;
  /** ISO 8601. */
  occurredAt: string;
  actor: string;
}

/** A posting of a payment of which something is left to take back. */
export interface OpenPosting {
  id: string;
  state: PostingState;
  leftMinor: bigint;
}

export interface PartTakenBack {
  of: OpenPosting;
  amountMinor: bigint;
}

/**
 * From which postings an amount is taken back: the newest first, as given. Throws when there is less: a payment is
 * never taken back by more than it was, so something has gone wrong before.
 */
export function takeBack(wholeMinor: bigint, newestFirst: readonly OpenPosting[]): PartTakenBack[] {
  const parts: PartTakenBack[] = [];
  let left = wholeMinor;
  for (const of of newestFirst) {
    if (of.leftMinor >= left) {
      parts.push({ of, amountMinor: left });
      return parts;
    }
    parts.push({ of, amountMinor: of.leftMinor });
    left -= of.leftMinor;
  }
  throw new Error('more is taken back than the postings of a payment have left');
}
