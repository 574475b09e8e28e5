// An attempt to pay that failed. It takes no reference and undoes no payment: a later attempt may succeed. Pure.

import { uuidOf } from '../id.ts';
import type { Money } from '../money.ts';
import type { Identity, PaymentSource } from './payment.ts';

export interface NewFailure extends Identity {
  /** The provider's own name for the attempt: tells the failures of one reference apart. */
  failureReference: string;
  /** Null where the provider does not say. */
  loanAccountNumber: string | null;
  cif: string | null;
  amount: Money | null;
  /** The provider's code or words. */
  reason: string;
  occurredAt: Date;
  paymentChannel: string;
  source: PaymentSource;
  actor: string;
}

/** Random, fixed for good. */
const failureSpace = '5b1d7a60-0c8f-4e0b-9a2d-1e7c64b0f9d3';
const failedEventSpace = '93e4c1f7-8a2b-4d6e-b5f0-2c9d7e1a6b48';

export const failureIdOf = (f: Pick<NewFailure, keyof Identity | 'failureReference'>): string =>
  uuidOf(failureSpace, JSON.stringify([f.namespace, f.referenceNumber, f.failureReference]));

/** The id of the event `payment.failed` for a failure's id. */
export const failedEventIdOf = (failureId: string): string => uuidOf(failedEventSpace, failureId);
