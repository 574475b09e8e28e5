// What one person may not do alone: a command waits as a request until another person decides. Pure.

import type { StaffCommand } from '../ledger/staff-command.ts';
import { formatAmount, parseBalance } from '../money.ts';

/** Kinds of commands that have limits. */
export const limitedKinds = ['fee_waiver', 'write_off', 'adjustment', 'disbursement'] as const;
export type LimitedKind = (typeof limitedKinds)[number];
export type LimitedCommand = Extract<StaffCommand, { kind: LimitedKind }>;

export const requestStatuses = [
  ...(['requested', 'approved', 'rejected', 'cancelled', 'expired', 'executed', 'failed'] as const),
] as const;
export type RequestStatus = (typeof requestStatuses)[number];

/** A loan as its ledger had it at some moment. */
export interface LoanFacts {
  /** Another one with every transfer: its number, or of a ledger that counts none the balances themselves. */
  version: string;
  currency: string;
  principal: string;
  fees: string;
  totalOutstanding: string;
}

export const isLimited = (command: StaffCommand): command is LimitedCommand =>
  limitedKinds.some((kind) => kind === command.kind);

/** What the limits are about; of an adjustment both of its parts, whichever way they go. Its amounts can be read. */
export function limitedAmount(command: LimitedCommand): string {
  const { currency } = command;
  const parts = command.kind === 'adjustment' ? [command.principalDelta, command.feeDelta] : [command.amount];
  const minor = parts.map((part) => {
    const read = parseBalance(part, currency);
    if (!read.ok) throw new Error(`an amount of a command cannot be read: ${read.refusal}`);
    return read.value.amountMinor;
  });
  const amountMinor = minor.reduce((sum, one) => sum + (one < 0n ? -one : one), 0n);
  return formatAmount({ amountMinor, currency });
}
