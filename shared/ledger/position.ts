// What a transfer makes of a loan's position and instalments. The same steps in the same order give the same position,
// which is how it can be checked against the transfers.

import { currencyExponent } from '../money.ts';
import { ok, type Result, refused } from '../result.ts';
import type { LedgerRefusal } from './command.ts';
import { type Day, daysBetween } from './day.ts';
import type { Instalment, LoanState, Position } from './loan.ts';
import { accounts, type Balances, type Transfer } from './posting.ts';

export const noBalances = (): Balances => ({
  principal: 0n,
  interest: 0n,
  fees: 0n,
  suspense: 0n,
  write_off: 0n,
  recovery: 0n,
  cash: 0n,
  income: 0n,
});

/** A transfer before it has its place in the loan's history. */
export type Draft = Pick<Transfer, 'kind' | 'effectiveOn'> &
  Partial<
    Omit<Transfer, 'entries' | 'id' | 'loanId' | 'version' | 'currency' | 'after' | 'recordedAt' | 'actor'>
  > & {
    /** What is left out is zero. */
    entries: Partial<Balances>;
  };

/** Balances keep to as many digits before the point as an amount may have. */
const digitsLimit = 13;

/** The state after it, unless an account would have what it cannot have. */
export function post(
  state: LoanState,
  draft: Draft,
  { id, actor, now }: { id: string; actor: string; now: Date },
): Result<{ state: LoanState; transfer: Transfer }, LedgerRefusal> {
  const { loan, position } = state;
  const entries = { ...noBalances(), ...draft.entries };
  const charges = draft.charges ?? 0n;
  const scheduled = draft.scheduled ?? 0n;
  const balances = noBalances();
  for (const account of accounts) balances[account] = position.balances[account] + entries[account];
  const movesPayout = draft.kind === 'disbursement' || draft.reverses?.kind === 'disbursement';
  const after: Position = {
    ...position,
    version: position.version + 1,
    balances,
    disbursed: position.disbursed + (movesPayout ? entries.principal : 0n),
    chargesOpen: position.chargesOpen + charges,
    scheduledPaid: position.scheduledPaid + scheduled,
    accrualBase: position.accrualBase + missedAccrual(position, draft.effectiveOn, entries.principal, loan),
    accrued: position.accrued + (draft.kind === 'accrual' ? entries.interest : 0n),
    updatedAt: now,
  };
  const refusal = impossible(after, loan.currency);
  if (refusal) return refused(refusal);
  const { principal, interest, fees, suspense } = balances;
  const transfer: Transfer = {
    facts: {},
    instalments: [],
    ...draft,
    id,
    loanId: loan.loanId,
    version: after.version,
    currency: loan.currency,
    entries,
    charges,
    scheduled,
    after: { principal, interest, fees, suspense },
    recordedAt: now,
    actor,
  };
  return ok({
    state: { loan, position: after, instalments: paidBy(state.instalments, transfer, now) },
    transfer,
  });
}

/** A principal that changes as of a day whose interest is counted already: what those days lack, or have too much. */
function missedAccrual(
  { closedOn }: Position,
  effectiveOn: Day,
  principal: bigint,
  { interestRateBps, openedOn }: LoanState['loan'],
): bigint {
  if (closedOn === undefined || interestRateBps === 0 || principal === 0n) return 0n;
  const from = effectiveOn > openedOn ? effectiveOn : openedOn;
  const days = daysBetween(from, closedOn) + 1;
  return days > 0 ? principal * BigInt(interestRateBps) * BigInt(days) : 0n;
}

function impossible({ balances, chargesOpen }: Position, currency: string): LedgerRefusal | undefined {
  const { principal, interest, fees, recovery, write_off } = balances;
  const limit = 10n ** BigInt(digitsLimit + (currencyExponent(currency) ?? 0));
  if (Object.values(balances).some((balance) => balance >= limit || balance <= -limit))
    return { code: 'invalid_amount', message: 'a balance would have more digits than amounts may have' };
  if (fees < 0n || chargesOpen < 0n || chargesOpen > fees)
    return {
      code: 'exceeds_fees',
      message: 'fees would be less than nothing: what was paid or waived of them is in the way',
    };
  if (principal < 0n || interest < 0n)
    return { code: 'exceeds_owed', message: 'the loan would owe less than nothing' };
  if (write_off + recovery < 0n)
    return { code: 'not_reversible', message: 'more would be recovered than is written off' };
  return undefined;
}

function paidBy(instalments: readonly Instalment[], transfer: Transfer, now: Date): readonly Instalment[] {
  if (transfer.instalments.length === 0) return instalments;
  const applied = new Map(transfer.instalments.map((line) => [line.number, line.applied]));
  return instalments.map((instalment) => {
    const amount = applied.get(instalment.number);
    if (amount === undefined) return instalment;
    const paid = instalment.paid + amount;
    return {
      ...instalment,
      paid,
      paidOn: paid === instalment.amount ? transfer.effectiveOn : undefined,
      updatedAt: now,
    };
  });
}
