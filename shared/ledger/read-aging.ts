// How late a loan is today, and which loans were late at the last close of day.

import type { Database } from '../database.ts';
import { bucketOfDays } from './aging.ts';
import type { Aging, OverdueFilter, OverduePage } from './answers.ts';
import { daysBetween } from './day.ts';
import { agingAtClose, findLoan, instalmentsOf, overdueLoans } from './read-store.ts';
import { overdueOn, owedBySchedule } from './schedule.ts';

/** A payment counts at once. Undefined for a loan that is not open. */
export async function readAging(db: Database, loanId: string, today: string): Promise<Aging | undefined> {
  const found = await findLoan(db, loanId);
  if (!found) return undefined;
  const { loan, position } = found;
  const { scheduleId } = position;
  const instalments = scheduleId === undefined ? [] : await instalmentsOf(db, loan, scheduleId);
  const closed = await agingAtClose(db, loanId);
  const { daysPastDue, overdue, oldest, next } = overdueOn(instalments, owedBySchedule(position), today);
  const bucket = bucketOfDays(daysPastDue);
  return {
    loanId,
    currency: loan.currency,
    daysPastDue,
    bucket,
    overdue,
    daysUntilOverdue: oldest || !next ? 0 : daysBetween(today, next.dueOn) + 1,
    oldest:
      oldest && scheduleId !== undefined
        ? { scheduleId, number: oldest.number, dueOn: oldest.dueOn }
        : undefined,
    previousBucket: closed?.bucket === bucket ? (closed.previousBucket ?? undefined) : closed?.bucket,
    bucketSince: closed?.bucket === bucket ? closed.bucketSince : undefined,
    updatedAt: position.updatedAt,
  };
}

export async function readOverdue(db: Database, filter: OverdueFilter): Promise<OverduePage> {
  const { loans, total } = await overdueLoans(db, { ...filter, limit: filter.limit + 1 });
  const page = loans.slice(0, filter.limit);
  const last = page.at(-1);
  return {
    loans: page,
    total,
    next:
      last && loans.length > page.length ? { daysPastDue: last.daysPastDue, loanId: last.loanId } : undefined,
  };
}
