// What of a schedule is still owed. What a borrower owes by schedule may have become less than the instalments say, by
// a waiver, a write-off or an adjustment: then the last instalments shrink first.

import type { InstalmentStatus } from './answers.ts';
import { type Day, daysBetween } from './day.ts';
import type { Instalment, Position } from './loan.ts';
import { least } from './minor.ts';
import { totalOf } from './posting.ts';

/** Of all that is owed, what no charge outside the schedule is. */
export const owedBySchedule = ({ balances, chargesOpen }: Position): bigint =>
  totalOf(balances) - chargesOpen;

/** Instalments oldest first; `owed` is what is owed by schedule. */
export function remainders(instalments: readonly Instalment[], owed: bigint): bigint[] {
  let left = owed;
  return instalments.map(({ amount, paid }) => {
    const remaining = least(amount - paid, left);
    left -= remaining;
    return remaining;
  });
}

export function statusOf(
  { amount, paid, dueOn }: Instalment,
  remaining: bigint,
  today: Day,
): InstalmentStatus {
  if (paid === amount) return 'paid';
  if (remaining === 0n) return 'waived';
  if (dueOn < today) return 'overdue';
  return paid > 0n ? 'partial' : 'pending';
}

export interface Overdue {
  daysPastDue: number;
  overdue: bigint;
  /** The oldest of what is overdue. */
  oldest: Instalment | undefined;
  /** The next that will be. */
  next: Instalment | undefined;
}

/** As of a day: what was due before it and is still owed. */
export function overdueOn(instalments: readonly Instalment[], owed: bigint, day: Day): Overdue {
  const remaining = remainders(instalments, owed);
  const open = instalments.filter((_, n) => remaining[n] !== 0n);
  const oldest = open.find(({ dueOn }) => dueOn < day);
  return {
    daysPastDue: oldest ? daysBetween(oldest.dueOn, day) : 0,
    overdue: instalments.reduce((sum, { dueOn }, n) => (dueOn < day ? sum + (remaining[n] ?? 0n) : sum), 0n),
    oldest,
    next: open.find(({ dueOn }) => dueOn >= day),
  };
}
