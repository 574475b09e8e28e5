// For tests only: a channel and a payment like any other, with what a test cares about changed.

import type { ChannelOf } from './channel.ts';
import type { NewPayment } from './payment.ts';
import type { NewReversal } from './reversal.ts';

export const standardChannel = (over: Partial<ChannelOf<'standard'>> = {}): ChannelOf<'standard'> => ({
  scheme: 'standard',
  name: 'bank',
  namespace: 'default',
  conflict: 409,
  allow: [],
  secrets: [],
  ...over,
});

export const newPayment = (over: Partial<NewPayment> = {}): NewPayment => ({
  namespace: 'default',
  referenceNumber: `REF-${crypto.randomUUID()}`,
  loanAccountNumber: 'LN-1',
  cif: 'CIF-1',
  amount: { amountMinor: 10_050n, currency: 'EUR' },
  paymentDate: new Date('2026-11-23T10:15:30.123Z'),
  paidOn: '2026-11-23',
  paymentChannel: 'bank',
  metadata: '{}',
  requiresReceipt: false,
  source: 'webhook',
  actor: 'channel:bank',
  ...over,
});

/** All of what is left of the payment. */
export const newReversal = (
  payment: Pick<NewPayment, 'namespace' | 'referenceNumber'>,
  over: Partial<NewReversal> = {},
): NewReversal => ({
  namespace: payment.namespace,
  referenceNumber: payment.referenceNumber,
  reversalReference: `RV-${crypto.randomUUID()}`,
  amount: null,
  reason: 'chargeback',
  occurredAt: new Date('2026-11-24T08:00:00.000Z'),
  source: 'webhook',
  actor: 'channel:bank',
  ...over,
});
