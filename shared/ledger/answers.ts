// What the ledger's reads answer. Amounts in minor units of the loan's currency, dates YYYY-MM-DD.

import type { Loan, Position } from './loan.ts';
import type { Balances, Transfer, TransferKind } from './posting.ts';

export interface LoanRecord {
  loan: Loan;
  position: Position;
  lastTransferId?: string | undefined;
}

/** By effective date when `asOf` was asked for, else all that is posted. */
export interface LoanBalances {
  loan: Loan;
  version: number;
  balances: Balances;
  asOf?: string | undefined;
  updatedAt: Date;
}

export interface TransferFilter {
  /** By effective date, both included. */
  from?: string | undefined;
  to?: string | undefined;
  kinds?: readonly TransferKind[] | undefined;
  limit: number;
}

export interface Transfers {
  /** Newest first. */
  transfers: readonly Transfer[];
  /** Of all that match. */
  total: number;
}

export interface StatementLine {
  transfer: Transfer;
  /** What it changed of what is owed: a charge above zero, a payment or relief below. */
  change: bigint;
  /** Owed after it. */
  balance: bigint;
}

/** By effective date; lines of a day in the order of their versions. What leaves alone what is owed is not in it. */
export interface Statement {
  loan: Loan;
  disbursed: bigint;
  opening: bigint;
  closing: bigint;
  /** Fees and interest charged in the period, less their reversals. */
  charged: bigint;
  /** Repayments in the period, less their reversals, with what went into suspense or recovery. */
  received: bigint;
  lines: readonly StatementLine[];
}

/** `waived`: never due any more, because what was owed by schedule is less. */
export type InstalmentStatus = 'pending' | 'partial' | 'overdue' | 'paid' | 'waived';

export interface ScheduledInstalment {
  number: number;
  dueOn: string;
  amount: bigint;
  paid: bigint;
  /** Of the amount, as far as it is still owed. */
  remaining: bigint;
  status: InstalmentStatus;
  paidOn?: string | undefined;
  /** Repayments and their reversals, in order. */
  transferIds: readonly string[];
  updatedAt: Date;
}

export interface Schedule {
  scheduleId: string;
  loan: Loan;
  /** False for one that a later schedule has replaced. */
  holds: boolean;
  /** By number. */
  instalments: readonly ScheduledInstalment[];
}

export type AgingBucket = 'current' | '1-30' | '31-60' | '61-90' | '90+';
export const agingBuckets: readonly AgingBucket[] = ['current', '1-30', '31-60', '61-90', '90+'];

export interface Aging {
  loanId: string;
  currency: string;
  daysPastDue: number;
  bucket: AgingBucket;
  overdue: bigint;
  /** Until the next instalment is overdue; 0 when one is or nothing is due any more. */
  daysUntilOverdue: number;
  oldest?: { scheduleId: string; number: number; dueOn: string } | undefined;
  /** The bucket that a close of day has found before this one. */
  previousBucket?: AgingBucket | undefined;
  /** The day whose close found the bucket; undefined when it has changed since the last close. */
  bucketSince?: string | undefined;
  updatedAt: Date;
}

export interface OverdueFilter {
  bucket?: AgingBucket | undefined;
  minDays?: number | undefined;
  maxDays?: number | undefined;
  limit: number;
  /** From `next` of the page before. */
  after?: { daysPastDue: number; loanId: string } | undefined;
}

/** As of the last close of day, the latest first. */
export interface OverduePage {
  loans: readonly {
    loanId: string;
    currency: string;
    daysPastDue: number;
    bucket: AgingBucket;
    overdue: bigint;
    updatedAt: Date;
  }[];
  /** Of all that match. */
  total: number;
  next?: { daysPastDue: number; loanId: string } | undefined;
}
