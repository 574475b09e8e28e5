// What is asked for when a person is to be erased, and what was done.

import type { AggregateKey } from './event-type.ts';

export interface Erased {
  /** All that are the same customer. */
  customers: string[];
  /** Whose keys are gone; none of them when all were gone before. */
  subjects: number;
  events: number;
  /** Rows that were made anew of what is left. */
  aggregates: number;
  deadLetters: number;
  /** What staff had written about them. */
  notes: number;
  /** Events that had not been folded yet: what names nobody of them is folded now. */
  waiting: number;
  /** Loans and conversations whose key stays, because they are somebody else's as well. */
  shared: AggregateKey[];
}

export interface ErasureRequest {
  customerId: string;
  reason: string;
  requestedBy: string;
}
