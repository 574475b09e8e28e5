// A loan's repayment schedule and its instalments. Whether one is missed, and what our own log has received for it, is
// for the reader to say: the one depends on the day, the other on payments that may come before the schedule.

import { amountIn, currencyIn, type Projection } from '../projection.ts';
import { namesUnder, numberIn, register, type State, textIn } from '../registers.ts';

const currencyOf = (state: State): string | null =>
  currencyIn(state, 'totalAmount', 'loanAmount', 'fee') ??
  currencyIn(state, ...namesUnder(state, 'instalment:').map((name) => `instalment:${name}`));

function instalments(state: State) {
  const currency = currencyOf(state);
  const planned = numberIn(state, 'nPayments');
  const numbers = new Set(namesUnder(state, 'instalment:').map((name) => Number.parseInt(name, 10)));
  return [...numbers]
    .filter((n) => planned === null || n <= planned)
    .sort((a, b) => a - b)
    .map((n) => ({
      payment_number: n,
      due_on: textIn(state, `instalment:${n}:dueOn`),
      amount: amountIn(state, `instalment:${n}:amount`, currency),
      status: textIn(state, `instalment:${n}:status`),
      paid_amount: amountIn(state, `instalment:${n}:paid`, currency),
    }));
}

/** Of an account's schedules the one that was made last is the one that holds, whatever is told of an earlier one. */
const versionOf = (state: State): string => state.created?.[0] ?? register(state, 'accountId')?.[0] ?? '';

export const schedule: Projection = {
  group: 'accounts',
  table: 'repayment_schedules',
  key: 'schedule_id',
  columns: {
    account_id: 'text',
    currency: 'text',
    loan_amount: 'numeric',
    total_amount: 'numeric',
    fee: 'numeric',
    n_payments: 'int',
    payment_frequency: 'text',
    scheduled_at: 'timestamptz',
    version: 'text',
  },
  row: (state) => {
    const currency = currencyOf(state);
    return {
      account_id: textIn(state, 'accountId'),
      currency,
      loan_amount: amountIn(state, 'loanAmount', currency),
      total_amount: amountIn(state, 'totalAmount', currency),
      fee: amountIn(state, 'fee', currency),
      n_payments: numberIn(state, 'nPayments'),
      payment_frequency: textIn(state, 'paymentFrequency'),
      scheduled_at: textIn(state, 'scheduledAt'),
      version: versionOf(state),
    };
  },
  lists: [
    {
      table: 'instalments',
      key: 'schedule_id',
      columns: {
        payment_number: 'int',
        due_on: 'date',
        amount: 'numeric',
        status: 'text',
        paid_amount: 'numeric',
      },
      rows: instalments,
    },
  ],
  identifiers: () => [],
};
