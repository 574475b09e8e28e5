// What may be told again: the payments of some days, of a loan, or of a reference. Pure.

export interface PublishRange {
  by:
    | /** Of payment dates, and of the times of failed attempts; `until` excluded. */ {
        from: Date;
        until: Date;
      }
    | { loanAccountNumber: string }
    | /** In every namespace. */ { referenceNumber: string };
  /** Null is both. */
  topic: 'payment.events' | 'payment.lifecycle' | null;
}

/** Where publishing again has come to: the last fact that was told, in the order of the first time; JSON. */
export type PublishedUpTo = string;
