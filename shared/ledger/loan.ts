// A loan as the ledger knows it: its terms, where it stands, and what of its schedule is paid.

import type { Balances } from './posting.ts';

/** Amounts in minor units of the currency. */
export interface Loan {
  loanId: string;
  accountNumber: string;
  customerId: string;
  applicationNumber: string;
  currency: string;
  principal: bigint;
  establishmentFee: bigint;
  /** Due by schedule, beyond principal and fee. */
  scheduledInterest: bigint;
  interestRateBps: number;
  openedOn: string;
  product: string;
  openedAt: Date;
}

export interface Position {
  /** Of the last transfer; 0 without any. */
  version: number;
  balances: Balances;
  /** Of principal; 0 before it and after its reversal. */
  disbursed: bigint;
  /** Charges outside the schedule that are neither paid nor waived; a part of the fees. */
  chargesOpen: bigint;
  /** What is paid of what is due by schedule, whether or not the schedule that holds has room for it. */
  scheduledPaid: bigint;
  /** Sum over the closed days of principal x rate; its 3,650,000th part is their interest. */
  accrualBase: bigint;
  /** Of that interest, what is posted. */
  accrued: bigint;
  closedOn?: string | undefined;
  scheduleId?: string | undefined;
  updatedAt: Date;
}

/** Of the schedule that holds. */
export interface Instalment {
  number: number;
  dueOn: string;
  amount: bigint;
  paid: bigint;
  /** When the last of it was paid. */
  paidOn?: string | undefined;
  updatedAt: Date;
}

export interface LoanState {
  loan: Loan;
  position: Position;
  /** Oldest first. */
  instalments: readonly Instalment[];
}

/** What borrowers have paid, less what was reversed. */
export const totalPaid = ({ balances, disbursed }: Position): bigint => balances.cash + disbursed;
