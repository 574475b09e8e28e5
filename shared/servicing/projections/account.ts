// A loan account. What its status is follows from three registers:
//
//   closed        the last event that closed it: account.closed, or any that says CLOSED
//   statusChange  the last account.status_changed that says another status
//   status        the last snapshot that says another status
//
//   closed, and no status change after that   written_off, closed or paid_off, by the reason; snapshots do not reopen
//   otherwise                                 the later one of statusChange and status

import { amountIn, currencyIn, type Projection, type Rules } from '../projection.ts';
import { toMicroseconds } from '../reading.ts';
import { lastSaid, namesUnder, numberIn, register, type State, textIn, timeOf } from '../registers.ts';

const closedStatus: Record<string, string> = {
  paid_off: 'paid_off',
  written_off: 'written_off',
  admin_closed: 'closed',
};

function closureOf(state: State): { reason: string | null; at: string | null } | undefined {
  const closed = register(state, 'closed');
  const change = register(state, 'statusChange');
  if (!closed || (change && change[0] > closed[0])) return undefined;
  // A reason that was given for an earlier closing does not explain this one.
  const since = (name: string) => {
    const said = register(state, name);
    return said && (!change || said[0] > change[0]) ? String(said[1]) : undefined;
  };
  const at = timeOf(closed[0]);
  return {
    reason: since('closureReason') ?? null,
    at: since('closedAt') ?? (at ? toMicroseconds(at) : null),
  };
}

function accountStatus(state: State): string | null {
  const closure = closureOf(state);
  if (closure) return closedStatus[closure.reason ?? 'paid_off'] ?? 'closed';
  const [change, snapshot] = [register(state, 'statusChange'), register(state, 'status')];
  const last = change && (!snapshot || change[0] > snapshot[0]) ? change : snapshot;
  return last ? String(last[1]) : null;
}

function row(state: State, { balances }: Rules) {
  const balance = balances === 'ledger' ? 'ledgerBalance' : 'currentBalance';
  const currency = currencyIn(
    state,
    'loanAmount',
    balance,
    'arrearsAmount',
    'lastPaymentAmount',
    'loanTotalPayable',
  );
  const closure = closureOf(state);
  return {
    account_number: textIn(state, 'accountNumber'),
    customer_id: textIn(state, 'customerId'),
    application_number: textIn(state, 'applicationNumber'),
    status: accountStatus(state),
    currency,
    loan_amount: amountIn(state, 'loanAmount', currency),
    loan_fee: amountIn(state, 'loanFee', currency),
    loan_total_payable: amountIn(state, 'loanTotalPayable', currency),
    current_balance: amountIn(state, balance, currency),
    opened_at: textIn(state, 'openedAt'),
    last_payment_at: textIn(state, 'lastPaymentAt'),
    last_payment_amount: amountIn(state, 'lastPaymentAmount', currency),
    days_past_due: numberIn(state, 'daysPastDue'),
    aging_bucket: textIn(state, 'agingBucket'),
    arrears_amount: amountIn(state, 'arrearsAmount', currency),
    closed_at: closure?.at ?? null,
    closure_reason: closure?.reason ?? null,
  };
}

export const account: Projection = {
  group: 'accounts',
  table: 'loan_accounts',
  key: 'account_id',
  columns: {
    account_number: 'text',
    customer_id: 'text',
    application_number: 'text',
    status: 'text',
    currency: 'text',
    loan_amount: 'numeric',
    loan_fee: 'numeric',
    loan_total_payable: 'numeric',
    current_balance: 'numeric',
    opened_at: 'timestamptz',
    last_payment_at: 'timestamptz',
    last_payment_amount: 'numeric',
    days_past_due: 'int',
    aging_bucket: 'text',
    arrears_amount: 'numeric',
    closed_at: 'timestamptz',
    closure_reason: 'text',
  },
  row,
  lists: [
    {
      table: 'loan_borrowers',
      key: 'account_id',
      columns: { customer_id: 'text', role: 'text' },
      rows: (state) => {
        const borrowers = new Map(
          namesUnder(state, 'borrower:').map((id) => [id, String(lastSaid(state, `borrower:${id}`))]),
        );
        const main = textIn(state, 'customerId');
        if (main !== null) borrowers.set(main, 'borrower');
        return [...borrowers].map(([customer_id, role]) => ({ customer_id, role })).sort(byCustomer);
      },
    },
  ],
  identifiers: (id, state) => {
    const number = register(state, 'accountNumber');
    return [
      { kind: 'account_id', value: id, version: '' },
      ...(number ? [{ kind: 'account_number', value: String(number[1]), version: number[0] }] : []),
    ];
  },
};

const byCustomer = (a: { customer_id: string }, b: { customer_id: string }) =>
  a.customer_id < b.customer_id ? -1 : 1;
