// A payment as it arrives: what identifies it, which facts it states. Pure; the clock and the database are elsewhere.

import { sha256, uuidOf } from '../id.ts';
import { formatAmount, type Money } from '../money.ts';

export interface NewPayment {
  /** Together with the reference number the payment's identity; a channel's setting, 'default' unless told. */
  namespace: string;
  referenceNumber: string;
  loanAccountNumber: string;
  cif: string;
  amount: Money;
  paymentDate: Date;
  /** The calendar date of `paymentDate` in the business zone. */
  paidOn: string;
  paymentChannel: string;
  /** A JSON object as text, numbers spelled as they came. */
  metadata: string;
  /** The payer is to be sent a receipt. */
  requiresReceipt: boolean;
  source: PaymentSource;
  /** Who brought it: `channel:<name>`, `key:<prefix>`, `job:<name>`. */
  actor: string;
}

export type PaymentSource = 'webhook' | 'staging' | 'api' | 'sync';

/** What recording one payment came to. A duplicate's id is that of the payment recorded first. */
export type Recorded =
  | { outcome: 'created' | 'duplicate'; paymentId: string }
  | { outcome: 'conflict'; paymentId: string; conflictId: string };

/** Namespace UUIDs of ours (random, fixed for good): changing one would let every payment in twice. */
const paymentSpace = '6f3c1d0a-9c0e-4b57-8a55-0d8c2f1b7e41';
const recordedEventSpace = 'b1a0c7de-52a4-4f0f-9f0e-3f7d1f6c9a12';

export type Identity = Pick<NewPayment, 'namespace' | 'referenceNumber'>;

/** A recorded payment, as far as a memory of such needs to know it. */
export interface RecentPayment extends Identity {
  paymentId: string;
  factsHash: string;
}

/** The identity as one text. */
export const identityOf = ({ namespace, referenceNumber }: Identity): string =>
  JSON.stringify([namespace, referenceNumber]);

/** The payment's id, the same for every way in: webhook, retry, staging. */
export const paymentIdOf = (payment: Identity): string => uuidOf(paymentSpace, identityOf(payment));

/** The id of the event `payment.recorded` for a payment id. */
export const recordedEventIdOf = (paymentId: string): string => uuidOf(recordedEventSpace, paymentId);

/** What channels and requests may name; never the namespace of an accepted conflict. */
export const isNamespace = (text: string): boolean => /^[a-z0-9][a-z0-9-]{0,62}$/.test(text);

/** What can be a payment's reference number. */
export const isReferenceNumber = (text: string): boolean =>
  text.length >= 1 && text.length <= 255 && text === text.trim() && !/\p{Cc}/u.test(text);

/** The identity of the payment that an accepted conflict becomes. */
export const conflictNamespace = (conflictId: string): string => `conflict:${conflictId}`;

/** Hash of the facts: two deliveries of one reference with equal hashes are the same payment. */
export const factsHash = ({ amount, loanAccountNumber, paidOn }: NewPayment): Promise<string> =>
  sha256(JSON.stringify([formatAmount(amount), amount.currency, loanAccountNumber, paidOn]));
