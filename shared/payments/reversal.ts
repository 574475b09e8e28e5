// Money that was paid and is taken back: a refund, a chargeback, a bounced debit, a correction by staff. Pure.

import { uuidOf } from '../id.ts';
import type { Money } from '../money.ts';
import type { Identity, PaymentSource } from './payment.ts';

export interface NewReversal extends Identity {
  /** The reverser's own name for it: tells the reversals of one payment apart, and a retry from a second one. */
  reversalReference: string;
  /** Null takes back all that is left. */
  amount: Money | null;
  reason: string;
  occurredAt: Date;
  source: PaymentSource;
  actor: string;
}

/**
 * What reversing came to. `held`: the payment has not come yet; the reversal is applied with it. `refused`: more than
 * is left, nothing left, or another currency. A duplicate's facts are those of the first; `conflict`: the reversal's
 * reference was used for another amount.
 */
export type Reversed =
  | { outcome: 'applied'; reversalId: string; paymentId: string }
  | { outcome: 'held'; reversalId: string; paymentId: null }
  | { outcome: 'refused'; reversalId: string | null; paymentId: string; why: ReversalRefusal }
  | { outcome: 'duplicate'; reversalId: string; paymentId: string | null; why: ReversalRefusal | null }
  | { outcome: 'conflict'; reversalId: string; paymentId: string | null };

type ReversalRefusal = 'exceeds_payment' | 'nothing_left' | 'other_currency';

/** Random, fixed for good. */
const reversalSpace = '0e2a6f0b-6d53-4b8c-9d4e-5a1f0f3f7c62';
const reversedEventSpace = 'c7d0b9a4-3f86-4a35-8c3e-7b6f9f3c2d15';

export const reversalIdOf = (r: Pick<NewReversal, keyof Identity | 'reversalReference'>): string =>
  uuidOf(reversalSpace, JSON.stringify([r.namespace, r.referenceNumber, r.reversalReference]));

/** The id of the event `payment.reversed` for a reversal's id. */
export const reversedEventIdOf = (reversalId: string): string => uuidOf(reversedEventSpace, reversalId);
