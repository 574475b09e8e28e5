// The ledger's SQL of schedules.

import type { Database } from '../database.ts';
import type { Instalment } from './loan.ts';
import { toDecimal } from './minor.ts';

/** The one in this currency that was made last. */
export async function findSchedule(
  tx: Database,
  loanId: string,
  currency: string,
): Promise<{ scheduleId: string; madeAt: Date } | undefined> {
  const [row] = await tx.query<{ scheduleId: string; madeAt: Date }>(
    `select schedule_id as "scheduleId", made_at as "madeAt" from ledger.schedules
     where loan_id = $1 and currency = $2 order by made_at desc, schedule_id desc limit 1`,
    [loanId, currency],
  );
  return row;
}

interface ScheduleRow {
  loanId: string;
  scheduleId: string;
  currency: string;
  madeAt: Date;
  actor: string;
}

/** With its instalments, in place of what there was under its id; `holds`: it becomes the loan's. */
export async function replaceSchedule(
  tx: Database,
  { loanId, scheduleId, currency, madeAt, actor }: ScheduleRow,
  instalments: readonly Instalment[],
  now: Date,
  holds: boolean,
): Promise<void> {
  await tx.query(
    `insert into ledger.schedules (loan_id, schedule_id, currency, made_at, actor, recorded_at)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (loan_id, schedule_id) do update
       set currency = excluded.currency, made_at = excluded.made_at, actor = excluded.actor, recorded_at = excluded.recorded_at`,
    [loanId, scheduleId, currency, madeAt, actor, now],
  );
  await tx.query('delete from ledger.instalments where loan_id = $1 and schedule_id = $2', [
    loanId,
    scheduleId,
  ]);
  await tx.query(
    `insert into ledger.instalments (loan_id, schedule_id, number, due_on, amount, paid, paid_on, updated_at)
     select $1, $2, n.*, $3 from unnest($4::int[], $5::date[], $6::numeric[], $7::numeric[], $8::date[]) as n`,
    [
      loanId,
      scheduleId,
      now,
      instalments.map(({ number }) => number),
      instalments.map(({ dueOn }) => dueOn),
      instalments.map(({ amount }) => toDecimal(amount, currency)),
      instalments.map(({ paid }) => toDecimal(paid, currency)),
      instalments.map(({ paidOn }) => paidOn ?? null),
    ],
  );
  if (holds)
    await tx.query('update ledger.positions set schedule_id = $2 where loan_id = $1', [loanId, scheduleId]);
}
