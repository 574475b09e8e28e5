// What a ledger has posted: transfers of balanced entries on the accounts of a loan, and what a command is answered.

import type { Result } from '../result.ts';
import type { LedgerRefusal } from './command.ts';

/** Debit less credit: what a borrower owes is positive, what was received too much (suspense) negative. */
export const accounts = [
  'principal',
  'interest',
  'fees',
  'suspense',
  'write_off',
  'recovery',
  'cash',
  'income',
] as const;
export type Account = (typeof accounts)[number];
/** In minor units of the loan's currency. */
export type Balances = Record<Account, bigint>;

export const transferKinds = [
  'disbursement',
  'establishment_fee',
  /** By schedule, at disbursement. */
  'interest',
  'repayment',
  'late_fee',
  'dishonour_fee',
  'fee_waiver',
  'write_off',
  'adjustment',
  'reversal',
  /** Interest of a day. */
  'accrual',
] as const;
export type TransferKind = (typeof transferKinds)[number];

/** What a command said beside amounts and dates. */
export interface TransferFacts {
  method?: string | undefined;
  notes?: string | undefined;
  approvedBy?: string | undefined;
  /** Where a document of it is. */
  attachment?: string | undefined;
  daysPastDue?: number | undefined;
  scheduleId?: string | undefined;
}

/** A line of a repayment (or, below zero, of its reversal). Amounts in minor units. */
export interface AppliedInstalment {
  number: number;
  dueOn: string;
  amount: bigint;
  applied: bigint;
  /** After it. */
  remaining: bigint;
}

export interface Transfer {
  /** UUID, which follows from the command's key. */
  id: string;
  loanId: string;
  /** Of the loan, from 1, without gaps. */
  version: number;
  kind: TransferKind;
  currency: string;
  /** They sum to zero. */
  entries: Balances;
  /** Balances of the loan after it. */
  after: Owed & { suspense: bigint };
  /** YYYY-MM-DD. */
  effectiveOn: string;
  recordedAt: Date;
  actor: string;
  reason?: string | undefined;
  /** What it was posted for. */
  paymentId?: string | undefined;
  /** The bank's, or the payment's. */
  reference?: string | undefined;
  reverses?: { id: string; kind: TransferKind; before: bigint } | undefined;
  facts: TransferFacts;
  /** What it changed of the charges outside the schedule that are open. */
  charges: bigint;
  /** What it paid of what is due by schedule. */
  scheduled: bigint;
  instalments: readonly AppliedInstalment[];
  /** Something that was asked for and not done as asked. */
  warning?: string | undefined;
}

export interface Owed {
  principal: bigint;
  interest: bigint;
  fees: bigint;
}

export const totalOf = ({ principal, interest, fees }: Owed): bigint => principal + interest + fees;

/** The answer to a command, the same when it is repeated but for `replayed`. */
export interface Posted {
  loanId: string;
  currency: string;
  /**
   * The command's own first; a disbursement's fee and interest follow it, so do their reversals. None when a loan was
   * opened that is not disbursed yet.
   */
  transfers: readonly Transfer[];
  /** Of the last of them; 0 without any. */
  version: number;
  /** Of a repayment: kept in suspense, because nothing more was owed. */
  overpayment: bigint;
  replayed: boolean;
}

/** One for each command, in order. */
export type Answer = Result<Posted, LedgerRefusal>;

/** In which order a repayment is allocated. */
export type AllocationOrder = ReadonlyArray<'fees' | 'interest' | 'principal'>;

/** What deciding goes by beside the loan. */
export interface PostingRules {
  now: Date;
  /** Of the business zone. */
  today: string;
  /** By product; others have fees, interest, principal. */
  orders: Readonly<Record<string, AllocationOrder>>;
}
