// What the servicer did: approvals, notices, statements, collection cases.

import { amountIn, currencyIn, type Projection } from '../projection.ts';
import { toMicroseconds } from '../reading.ts';
import { lastSaid, numberIn, register, type State, textIn, timeOf } from '../registers.ts';

export const approval: Projection = {
  group: 'accounts',
  table: 'approvals',
  key: 'request_id',
  columns: {
    kind: 'text',
    account_id: 'text',
    customer_id: 'text',
    status: 'text',
    currency: 'text',
    amount: 'numeric',
    reason: 'text',
    requested_by: 'text',
    requested_at: 'timestamptz',
    decided_by: 'text',
    decided_at: 'timestamptz',
    decision_note: 'text',
  },
  row: (state) => {
    const currency = currencyIn(state, 'amount');
    return {
      kind: textIn(state, 'kind'),
      account_id: textIn(state, 'accountId'),
      customer_id: textIn(state, 'customerId'),
      // A request that comes after its decision does not open it again.
      status: textIn(state, 'outcome') ?? textIn(state, 'decision') ?? 'requested',
      currency,
      amount: amountIn(state, 'amount', currency),
      reason: textIn(state, 'reason'),
      requested_by: textIn(state, 'requestedBy'),
      requested_at: textIn(state, 'requestedAt'),
      decided_by: textIn(state, 'decidedBy'),
      decided_at: textIn(state, 'decidedAt'),
      decision_note: textIn(state, 'decisionNote'),
    };
  },
  lists: [],
  identifiers: () => [],
};

export const notification: Projection = {
  group: 'customers',
  table: 'notifications',
  key: 'notification_id',
  columns: {
    customer_id: 'text',
    account_id: 'text',
    kind: 'text',
    channel: 'text',
    template: 'text',
    status: 'text',
    sent_at: 'timestamptz',
    failed_at: 'timestamptz',
    failure: 'text',
    recipient: 'text',
  },
  row: (state) => ({
    customer_id: textIn(state, 'customerId'),
    account_id: textIn(state, 'accountId'),
    kind: textIn(state, 'kind'),
    channel: textIn(state, 'channel'),
    template: textIn(state, 'template'),
    // What was sent may still turn out not to have arrived.
    status: lastSaid(state, 'failed') === true ? 'failed' : 'sent',
    sent_at: textIn(state, 'sentAt'),
    failed_at: textIn(state, 'failedAt'),
    failure: textIn(state, 'failureMessage') ?? textIn(state, 'failureType'),
    recipient: textIn(state, 'recipient'),
  }),
  lists: [],
  identifiers: () => [],
};

export const statement: Projection = {
  group: 'accounts',
  table: 'statements',
  key: 'statement_id',
  columns: {
    customer_id: 'text',
    account_id: 'text',
    period_start: 'date',
    period_end: 'date',
    generated_at: 'timestamptz',
    document_ref: 'text',
  },
  row: (state) => ({
    customer_id: textIn(state, 'customerId'),
    account_id: textIn(state, 'accountId'),
    period_start: textIn(state, 'periodStart'),
    period_end: textIn(state, 'periodEnd'),
    generated_at: textIn(state, 'generatedAt'),
    document_ref: textIn(state, 'documentRef'),
  }),
  lists: [],
  identifiers: () => [],
};

/**
 * open, paused, cured or exhausted. Opening again after the end begins anew; pausing and stopping contact are states of
 * their own beside it, and what came before the end does not change it.
 */
function caseStatus(state: State): string | null {
  const [opened, ended, paused] = ['opened', 'ended', 'paused'].map((name) => register(state, name));
  if (ended && !(opened && opened[0] > ended[0])) return String(ended[1]);
  return paused?.[1] === true && !(ended && ended[0] > paused[0]) ? 'paused' : 'open';
}

export const collectionCase: Projection = {
  group: 'accounts',
  table: 'collection_cases',
  key: 'case_id',
  columns: {
    account_id: 'text',
    customer_id: 'text',
    status: 'text',
    step: 'int',
    stop_contact: 'boolean',
    opened_at: 'timestamptz',
    closed_at: 'timestamptz',
    reason: 'text',
  },
  row: (state) => {
    const status = caseStatus(state);
    const ended = status === 'cured' || status === 'exhausted' ? register(state, 'ended') : undefined;
    const endedAt = ended && timeOf(ended[0]);
    return {
      account_id: textIn(state, 'accountId'),
      customer_id: textIn(state, 'customerId'),
      status,
      step: numberIn(state, 'step'),
      stop_contact: lastSaid(state, 'stopContact') === true,
      opened_at: textIn(state, 'openedAt'),
      closed_at: endedAt ? toMicroseconds(endedAt) : null,
      reason: textIn(state, 'reason'),
    };
  },
  lists: [],
  identifiers: () => [],
};
