// A repayment, and the opposite of a transfer.

import { ok, type Result, refused } from '../result.ts';
import { allocate, cover, sliceFromEnd, uncover } from './allocation.ts';
import type { LedgerRefusal } from './command.ts';
import type { Instalment, LoanState } from './loan.ts';
import { least } from './minor.ts';
import type { Draft } from './position.ts';
import { type AllocationOrder, accounts, type Balances, type Transfer, totalOf } from './posting.ts';

/**
 * Fees outside the schedule count first of what is paid of fees. What covers no charge covers instalments. What is left
 * when nothing is owed recovers what was written off, and is kept in suspense after that.
 */
export function repayment(
  { position, instalments }: LoanState,
  amount: bigint,
  order: AllocationOrder,
  {
    target,
    warning,
    ...said
  }: Pick<Draft, 'effectiveOn' | 'paymentId' | 'reference' | 'facts' | 'warning'> & {
    target?: number | undefined;
  },
): Draft {
  const { balances, chargesOpen, disbursed } = position;
  const { fees, interest, principal, rest } = allocate(amount, balances, order);
  const recovered = least(rest, balances.write_off + balances.recovery);
  const overpaid = rest - recovered;
  const charges = least(chargesOpen, fees);
  const scheduled = fees - charges + interest + principal;
  const warnings = [
    warning,
    target !== undefined && isPaid(instalments, target)
      ? `instalment ${target} is paid already: the oldest was paid first`
      : undefined,
    recovered > 0n ? 'what was written off is recovered' : undefined,
    overpaid > 0n
      ? totalOf(balances) === 0n && disbursed === 0n
        ? 'the loan is not disbursed: the money is kept in suspense'
        : 'more than is owed: the rest is kept in suspense'
      : undefined,
  ].filter((one) => one !== undefined);
  return {
    ...said,
    kind: 'repayment',
    entries: {
      cash: amount,
      fees: -fees,
      interest: -interest,
      principal: -principal,
      recovery: -recovered,
      suspense: -overpaid,
    },
    charges: -charges,
    scheduled,
    instalments: cover(scheduled, instalments, target),
    warning: warnings.length > 0 ? warnings.join('; ') : undefined,
  };
}

const isPaid = (instalments: readonly Instalment[], number: number) =>
  instalments.some((one) => one.number === number && one.paid === one.amount);

const reversible = [
  'disbursement',
  'repayment',
  'late_fee',
  'dishonour_fee',
  'fee_waiver',
  'write_off',
  'adjustment',
];

interface Reversal {
  /** Undefined: all that is left. */
  amount: bigint | undefined;
  effectiveOn: string;
  reason: string;
}

/**
 * `reversedBefore` is what earlier reversals have taken of it, undefined when there was none. `companions` are what a
 * disbursement has posted with it.
 */
export function reversal(
  state: LoanState,
  original: Transfer,
  reversedBefore: bigint | undefined,
  companions: readonly Transfer[],
  asked: Reversal,
): Result<Draft[], LedgerRefusal> {
  const { kind } = original;
  if (!reversible.includes(kind))
    return refused({ code: 'not_reversible', message: `a transfer of kind ${kind} is not reversed` });
  if (kind === 'repayment') return partReversal(state, original, reversedBefore ?? 0n, asked);
  if (reversedBefore !== undefined)
    return refused({ code: 'exceeds_reversible', message: 'the transfer has been reversed' });
  if (asked.amount !== undefined && asked.amount !== wholeOf(original))
    return refused({ code: 'not_reversible', message: 'only repayments are reversed in part' });
  return ok([original, ...companions].map((one) => opposite(one, asked)));
}

/** What a transfer is said to be of, whichever way it goes. */
function wholeOf({ entries }: Transfer): bigint {
  const owed = totalOf(entries);
  return owed < 0n ? -owed : owed;
}

function opposite(original: Transfer, { effectiveOn, reason }: Reversal): Draft {
  const entries: Partial<Balances> = {};
  for (const account of accounts) entries[account] = -original.entries[account];
  return {
    kind: 'reversal',
    effectiveOn,
    reason,
    entries,
    charges: -original.charges,
    reverses: { id: original.id, kind: original.kind, before: 0n },
    paymentId: original.paymentId,
  };
}

/** As if the amount lay in a line: charges, other fees, interest, principal, recovery, suspense; taken from its end. */
function partReversal(
  { position, instalments }: LoanState,
  original: Transfer,
  before: bigint,
  { amount, effectiveOn, reason }: Reversal,
): Result<Draft[], LedgerRefusal> {
  const left = original.entries.cash - before;
  const taken = amount ?? left;
  if (taken > left || taken === 0n)
    return refused({ code: 'exceeds_reversible', message: 'more than is left of the repayment' });
  const { entries } = original;
  const paidCharges = -original.charges;
  const [charges = 0n, fees = 0n, interest = 0n, principal = 0n, recovery = 0n, suspense = 0n] = sliceFromEnd(
    [
      paidCharges,
      -entries.fees - paidCharges,
      -entries.interest,
      -entries.principal,
      -entries.recovery,
      -entries.suspense,
    ],
    before,
    before + taken,
  );
  const scheduled = fees + interest + principal;
  const paid = instalments.reduce((sum, one) => sum + one.paid, 0n);
  const room = instalments.reduce((sum, one) => sum + one.amount, 0n);
  // What was paid by schedule beyond what the instalments have room for goes before any of them.
  const covered = paid - least(position.scheduledPaid - scheduled, room);
  const ofThisSchedule = original.facts.scheduleId === position.scheduleId;
  return ok([
    {
      kind: 'reversal',
      effectiveOn,
      reason,
      entries: {
        cash: -taken,
        fees: charges + fees,
        interest,
        principal,
        recovery,
        suspense,
      },
      charges,
      scheduled: -scheduled,
      instalments: uncover(covered, instalments, ofThisSchedule ? remainingLines(original, before) : []),
      facts: { scheduleId: position.scheduleId },
      reverses: { id: original.id, kind: 'repayment', before },
      paymentId: original.paymentId,
    },
  ]);
}

/** What earlier reversals, which took from the end, have left of the instalments' lines. */
function remainingLines(original: Transfer, before: bigint): { number: number; applied: bigint }[] {
  const covered = original.instalments.reduce((sum, line) => sum + line.applied, 0n);
  const afterThem = original.entries.cash + original.charges - covered;
  const gone = before > afterThem ? before - afterThem : 0n;
  const applied = sliceFromEnd(
    original.instalments.map((line) => line.applied),
    gone,
    covered,
  );
  return original.instalments.map(({ number }, place) => ({ number, applied: applied[place] ?? 0n }));
}
