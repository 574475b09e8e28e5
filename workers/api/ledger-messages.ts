// Messages of the ledger's contract as this API shows them. In protobuf's JSON a field that has its zero value may be missing.

import type { Message } from './ledger-gateway.ts';

const isObject = (value: unknown): value is Message => typeof value === 'object' && value !== null;

const text = (message: Message, name: string): string => String(message[name] ?? '');
const textOrNull = (message: Message, name: string): string | null => text(message, name) || null;
const whole = (message: Message, name: string): number => Number(message[name] ?? 0);
const list = (message: Message, name: string): Message[] =>
  Array.isArray(message[name]) ? message[name].filter(isObject) : [];
const inner = (message: Message, name: string): Message | undefined =>
  isObject(message[name]) ? message[name] : undefined;
/** A zero that was left out. */
const amount = (message: Message, name: string): string => text(message, name) || '0';

/** `REPAYMENT` is `repayment` here. */
const typeOf = (message: Message) => text(message, 'type').toLowerCase() || 'unspecified';

export const shownTransaction = (t: Message) => ({
  transactionId: text(t, 'transactionId'),
  type: typeOf(t),
  effectiveOn: textOrNull(t, 'effectiveDate'),
  recordedAt: textOrNull(t, 'transactionDate'),
  principalDelta: amount(t, 'principalDelta'),
  feeDelta: amount(t, 'feeDelta'),
  totalDelta: amount(t, 'totalDelta'),
  principalAfter: amount(t, 'principalAfter'),
  feeAfter: amount(t, 'feeAfter'),
  totalAfter: amount(t, 'totalAfter'),
  description: textOrNull(t, 'description'),
  referenceType: textOrNull(t, 'referenceType'),
  referenceId: textOrNull(t, 'referenceId'),
  metadata: (inner(t, 'metadata') ?? {}) as Record<string, string>,
  createdBy: textOrNull(t, 'createdBy'),
  notes: textOrNull(t, 'notes'),
});

export const shownTransactions = (m: Message) => ({
  data: list(m, 'transactions').map(shownTransaction),
  totalCount: whole(m, 'totalCount'),
});

/** Of the accounts of a loan's own, by their name. */
function balancesOf(loan: Message): (account: string) => string {
  const balances = new Map(
    list(loan, 'balances').map((one) => [text(one, 'account'), amount(one, 'amount')]),
  );
  return (account) => balances.get(account) ?? '0';
}

/** What was credited, as what it is worth. */
const turned = (amount: string) =>
  /^-/.test(amount) ? amount.slice(1) : /[1-9]/.test(amount) ? `-${amount}` : amount;

/** Of GetLoan. */
export function balanceOfLoan(loan: Message) {
  const of = balancesOf(loan);
  return {
    principal: of('principal'),
    fees: of('fees'),
    totalOutstanding: amount(loan, 'totalOutstanding'),
    interest: of('interest'),
    suspense: turned(of('suspense')),
    writtenOff: of('write_off'),
    version: text(loan, 'version') || '0',
    asOf: textOrNull(loan, 'asOfDate'),
  };
}

/** Of GetBalance, which every ledger has. */
export const balanceOfAny = (m: Message) => ({
  principal: amount(m, 'principalBalance'),
  fees: amount(m, 'feeBalance'),
  totalOutstanding: amount(m, 'totalOutstanding'),
  interest: null,
  suspense: null,
  writtenOff: null,
  version: null,
  asOf: textOrNull(m, 'asOf'),
});

export const shownRecord = (m: Message) => ({
  accountNumber: textOrNull(m, 'accountNumber'),
  customerId: textOrNull(m, 'customerId'),
  applicationNumber: textOrNull(m, 'applicationNumber'),
  disbursedPrincipal: amount(m, 'disbursedPrincipal'),
  establishmentFee: amount(m, 'establishmentFee'),
  totalRepayable: amount(m, 'totalRepayable'),
  principal: amount(m, 'principalBalance'),
  fees: amount(m, 'feeBalance'),
  totalOutstanding: amount(m, 'totalOutstanding'),
  totalPaid: amount(m, 'totalPaid'),
  transactionCount: whole(m, 'transactionCount'),
  lastTransactionId: textOrNull(m, 'lastTransactionId'),
  scheduleId: textOrNull(m, 'scheduleId'),
  createdAt: textOrNull(m, 'createdAt'),
  updatedAt: textOrNull(m, 'updatedAt'),
});

export const shownStatement = (m: Message) => ({
  accountNumber: textOrNull(m, 'accountNumber'),
  customerId: textOrNull(m, 'customerId'),
  from: text(m, 'periodStart'),
  to: text(m, 'periodEnd'),
  disbursedPrincipal: amount(m, 'disbursedPrincipal'),
  establishmentFee: amount(m, 'establishmentFee'),
  totalRepayable: amount(m, 'totalRepayable'),
  openingBalance: amount(m, 'openingBalance'),
  feesCharged: amount(m, 'feesCharged'),
  paymentsReceived: amount(m, 'paymentsReceived'),
  closingBalance: amount(m, 'closingBalance'),
  lines: list(m, 'lines').map((line) => ({
    date: text(line, 'date'),
    transactionId: text(line, 'transactionId'),
    description: text(line, 'description'),
    charge: textOrNull(line, 'charge'),
    payment: textOrNull(line, 'payment'),
    balance: amount(line, 'balance'),
  })),
  generatedAt: textOrNull(m, 'generatedAt'),
});

export function shownSchedule(m: Message) {
  const summary = inner(m, 'summary') ?? {};
  return {
    scheduleId: textOrNull(m, 'scheduleId'),
    customerId: textOrNull(m, 'customerId'),
    applicationNumber: textOrNull(m, 'applicationNumber'),
    instalments: list(m, 'instalments').map((one) => ({
      paymentNumber: whole(one, 'paymentNumber'),
      dueOn: text(one, 'dueDate'),
      amount: amount(one, 'scheduledAmount'),
      status: text(one, 'status').toLowerCase(),
      amountPaid: amount(one, 'amountPaid'),
      amountRemaining: amount(one, 'amountRemaining'),
      paidOn: textOrNull(one, 'paidDate'),
      transactionIds: Array.isArray(one.linkedTransactionIds) ? one.linkedTransactionIds.map(String) : [],
    })),
    summary: {
      totalInstalments: whole(summary, 'totalInstalments'),
      paidCount: whole(summary, 'paidCount'),
      partialCount: whole(summary, 'partialCount'),
      overdueCount: whole(summary, 'overdueCount'),
      pendingCount: whole(summary, 'pendingCount'),
      nextDueOn: textOrNull(summary, 'nextDueDate'),
      nextDueAmount: textOrNull(summary, 'nextDueAmount'),
      totalScheduled: amount(summary, 'totalScheduled'),
      totalPaid: amount(summary, 'totalPaid'),
      totalRemaining: amount(summary, 'totalRemaining'),
    },
  };
}

export const shownAging = (m: Message) => ({
  daysPastDue: whole(m, 'dpd'),
  bucket: text(m, 'bucket'),
  daysUntilOverdue: whole(m, 'daysUntilOverdue'),
  overdueAmount: amount(m, 'totalOverdueAmount'),
  isInArrears: m.isInArrears === true,
  previousBucket: textOrNull(m, 'previousBucket'),
  transitionReason: textOrNull(m, 'transitionReason'),
  oldestOverdueInstalmentId: textOrNull(m, 'oldestOverdueInstalmentId'),
  updatedAt: textOrNull(m, 'lastUpdated'),
});

/** Of a command's answer: TransactionResponse, PostingResponse or DisburseLoanResponse. */
export function shownPosting(answered: Message) {
  const m = inner(answered, 'answer') ?? answered;
  const transaction = inner(m, 'transaction');
  const instalments = list(m, 'appliedToInstalments');
  const isRepayment = transaction !== undefined && typeOf(transaction) === 'repayment';
  return {
    transactionId: transaction ? text(transaction, 'transactionId') : text(m, 'disbursementTransactionId'),
    transaction: transaction ? shownTransaction(transaction) : null,
    feeTransactionId: textOrNull(m, 'feeTransactionId'),
    allocation: isRepayment
      ? {
          fees: textOrNull(m, 'allocatedToFees'),
          principal: textOrNull(m, 'allocatedToPrincipal'),
          overpayment: textOrNull(m, 'overpayment'),
          instalments: instalments.map((one) => ({
            paymentNumber: whole(one, 'paymentNumber'),
            amountApplied: amount(one, 'amountApplied'),
            status: text(one, 'instalmentStatus').toLowerCase(),
            amountRemaining: amount(one, 'amountRemaining'),
            dueOn: textOrNull(one, 'dueDate'),
            scheduledAmount: amount(one, 'scheduledAmount'),
          })),
          warning: textOrNull(m, 'allocationWarning'),
        }
      : null,
  };
}

/** Whether the ledger says that it had done this before. */
export const isReplay = (answered: Message): boolean =>
  answered.idempotentReplay === true || inner(answered, 'answer')?.idempotentReplay === true;
