// Payments of a loan, from two sides: as the account's system plans and processes them, and as our own log received them.

import { amountIn, currencyIn, type Projection } from '../projection.ts';
import { numberIn, textIn } from '../registers.ts';

export const accountPayment: Projection = {
  group: 'accounts',
  table: 'account_payments',
  key: 'payment_key',
  columns: {
    account_id: 'text',
    schedule_id: 'text',
    payment_number: 'int',
    currency: 'text',
    amount: 'numeric',
    scheduled_on: 'date',
    processed_at: 'timestamptz',
    status: 'text',
  },
  row: (state) => {
    const processed = textIn(state, 'processedAmount') !== null || textIn(state, 'processedStatus') !== null;
    const named = textIn(state, 'processedAmount') === null ? 'scheduledAmount' : 'processedAmount';
    const currency = currencyIn(state, named);
    return {
      account_id: textIn(state, 'accountId'),
      schedule_id: textIn(state, 'scheduleId'),
      payment_number: numberIn(state, 'paymentNumber'),
      currency,
      amount: amountIn(state, named, currency),
      scheduled_on: textIn(state, 'scheduledOn'),
      processed_at: textIn(state, 'processedAt'),
      // What was processed is never only scheduled again, whichever is told last.
      status: processed ? textIn(state, 'processedStatus') : 'scheduled',
    };
  },
  lists: [],
  identifiers: () => [],
};

export const receivedPayment: Projection = {
  group: 'accounts',
  table: 'received_payments',
  key: 'payment_id',
  columns: {
    loan_account_number: 'text',
    reference_number: 'text',
    cif: 'text',
    currency: 'text',
    amount: 'numeric',
    reversed: 'numeric',
    paid_at: 'timestamptz',
    paid_on: 'date',
  },
  row: (state) => {
    const currency = currencyIn(state, 'amount', 'reversed');
    return {
      loan_account_number: textIn(state, 'loanAccountNumber'),
      reference_number: textIn(state, 'referenceNumber'),
      cif: textIn(state, 'cif'),
      currency,
      amount: amountIn(state, 'amount', currency),
      reversed: amountIn(state, 'reversed', currency) ?? '0',
      paid_at: textIn(state, 'paidAt'),
      paid_on: textIn(state, 'paidOn'),
    };
  },
  lists: [],
  identifiers: () => [],
};
