// A conversation, and an application for a loan: what chats and the customers' system tell of it. The lines of a
// conversation are entries, see event-type.ts.

import { amountIn, currencyIn, type Projection } from '../projection.ts';
import { lastSaid, textIn } from '../registers.ts';

export const conversation: Projection = {
  group: 'conversations',
  table: 'conversations',
  key: 'conversation_id',
  columns: {
    customer_id: 'text',
    application_number: 'text',
    account_id: 'text',
    status: 'text',
    channel: 'text',
    started_at: 'timestamptz',
    last_message_at: 'timestamptz',
    summary: 'text',
    decision: 'text',
    decided_at: 'timestamptz',
  },
  row: (state) => ({
    customer_id: textIn(state, 'customerId'),
    application_number: textIn(state, 'applicationNumber'),
    account_id: textIn(state, 'accountId'),
    status: textIn(state, 'decision') === null ? 'open' : 'decided',
    channel: textIn(state, 'channel'),
    started_at: textIn(state, 'startedAt'),
    last_message_at: textIn(state, 'lastMessageAt'),
    summary: textIn(state, 'summary'),
    decision: textIn(state, 'decision'),
    decided_at: textIn(state, 'decidedAt'),
  }),
  lists: [],
  identifiers: () => [],
};

export const application: Projection = {
  group: 'customers',
  table: 'applications',
  key: 'application_number',
  columns: {
    customer_id: 'text',
    conversation_id: 'text',
    account_id: 'text',
    status: 'text',
    currency: 'text',
    loan_amount: 'numeric',
    loan_purpose: 'text',
    submitted_at: 'timestamptz',
    decision: 'text',
    decided_at: 'timestamptz',
  },
  row: (state) => {
    const currency = currencyIn(state, 'loanAmount');
    return {
      customer_id: textIn(state, 'customerId'),
      conversation_id: textIn(state, 'conversationId'),
      account_id: textIn(state, 'accountId'),
      status: textIn(state, 'status') ?? (lastSaid(state, 'decision') === undefined ? 'started' : 'decided'),
      currency,
      loan_amount: amountIn(state, 'loanAmount', currency),
      loan_purpose: textIn(state, 'loanPurpose'),
      submitted_at: textIn(state, 'submittedAt'),
      decision: textIn(state, 'decision'),
      decided_at: textIn(state, 'decidedAt'),
    };
  },
  lists: [],
  identifiers: () => [],
};
