// A schedule and what of it is paid, due and overdue. Undefined when the loan is not open or has none.

import type { Database } from '../database.ts';
import type { Schedule } from './answers.ts';
import {
  findLoan,
  findScheduleBy,
  instalmentsOf,
  linksToInstalments,
  type ScheduleName,
} from './read-store.ts';
import { owedBySchedule, remainders, statusOf } from './schedule.ts';

export async function readSchedule(
  db: Database,
  by: ScheduleName,
  today: string,
): Promise<Schedule | undefined> {
  const name = await findScheduleBy(db, by);
  const found = name && (await findLoan(db, name.loanId));
  if (!found) return undefined;
  const { loan, position } = found;
  const instalments = await instalmentsOf(db, loan, name.scheduleId);
  const links = Map.groupBy(
    await linksToInstalments(db, loan.loanId, name.scheduleId),
    ({ number }) => number,
  );
  const remaining = remainders(instalments, owedBySchedule(position));
  return {
    scheduleId: name.scheduleId,
    loan,
    holds: position.scheduleId === name.scheduleId,
    instalments: instalments
      .map((instalment, n) => ({
        ...instalment,
        remaining: remaining[n] ?? 0n,
        status: statusOf(instalment, remaining[n] ?? 0n, today),
        transferIds: (links.get(instalment.number) ?? []).map(({ transferId }) => transferId),
      }))
      .toSorted((a, b) => a.number - b.number),
  };
}
