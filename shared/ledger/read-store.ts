// The ledger's SQL of reading. Nothing here locks.

import type { Database } from '../database.ts';
import type { AgingBucket, OverdueFilter, OverduePage, TransferFilter } from './answers.ts';
import type { Instalment, Loan, Position } from './loan.ts';
import { toMinor } from './minor.ts';
import { accounts, type Balances, type Transfer } from './posting.ts';
import {
  balancesFrom,
  type InstalmentRow,
  instalmentColumns,
  instalmentFrom,
  type LoanRow,
  loanColumns,
  loanFrom,
  positionColumns,
  positionFrom,
  type TransferRow,
  transferColumns,
  transferFrom,
} from './store.ts';

export async function findLoan(
  db: Database,
  loanId: string,
): Promise<{ loan: Loan; position: Position; lastTransferId: string | undefined } | undefined> {
  const [row] = await db.query<LoanRow & { last_transfer_id: string | null }>(
    `select ${loanColumns}, ${positionColumns},
       (select t.id from ledger.transfers t where t.loan_id = p.loan_id and t.version = p.version) as last_transfer_id
     from ledger.loans l join ledger.positions p on p.loan_id = l.loan_id where l.loan_id = $1`,
    [loanId],
  );
  return row
    ? { loan: loanFrom(row), position: positionFrom(row), lastTransferId: row.last_transfer_id ?? undefined }
    : undefined;
}

/** Of what is effective until then, whenever it was posted. */
export async function balancesAsOf(db: Database, { loanId, currency }: Loan, day: string): Promise<Balances> {
  const [row] = await db.query<Record<string, string>>(
    `select ${accounts.map((account) => `coalesce(sum(${account}), 0) as ${account}`).join(', ')}
     from ledger.transfers where loan_id = $1 and effective_on <= $2`,
    [loanId, day],
  );
  return balancesFrom(row ?? {}, currency);
}

/** Newest first, and how many match in all. */
export async function listTransfers(
  db: Database,
  loanId: string,
  { from, to, kinds, limit }: TransferFilter,
): Promise<{ transfers: Transfer[]; total: number }> {
  const where = `t.loan_id = $1 and ($2::date is null or t.effective_on >= $2) and ($3::date is null or t.effective_on <= $3)
    and ($4::text[] is null or t.kind = any ($4))`;
  const params = [loanId, from ?? null, to ?? null, kinds ?? null];
  const rows = await db.query<TransferRow>(
    `select ${transferColumns} from ledger.transfers t where ${where} order by t.version desc limit $5`,
    [...params, limit],
  );
  const [count] = await db.query<{ total: string }>(
    `select count(*) as total from ledger.transfers t where ${where}`,
    params,
  );
  return { transfers: rows.map(transferFrom), total: Number(count?.total ?? 0) };
}

/** In the order of their versions. */
export async function transfersFrom(
  db: Database,
  loanId: string,
  version: number,
  limit: number,
): Promise<Transfer[]> {
  const rows = await db.query<TransferRow>(
    `select ${transferColumns} from ledger.transfers t where t.loan_id = $1 and t.version > $2 order by t.version limit $3`,
    [loanId, version, limit],
  );
  return rows.map(transferFrom);
}

export async function transferById(db: Database, id: string): Promise<Transfer | undefined> {
  const [row] = await db.query<TransferRow>(
    `select ${transferColumns} from ledger.transfers t where t.id = $1`,
    [id],
  );
  return row && transferFrom(row);
}

/** Of a period, by effective date, in the order of days and versions. */
export async function transfersOfPeriod(
  db: Database,
  loanId: string,
  from: string,
  to: string,
): Promise<Transfer[]> {
  const rows = await db.query<TransferRow>(
    `select ${transferColumns} from ledger.transfers t where t.loan_id = $1 and t.effective_on between $2 and $3
     order by t.effective_on, t.version`,
    [loanId, from, to],
  );
  return rows.map(transferFrom);
}

export type ScheduleName = { loanId: string } | { scheduleId: string } | { applicationNumber: string };

/** The schedule that is meant: by the name of its loan, the one that holds. Ids of schedules are their senders': the latest counts. */
export async function findScheduleBy(
  db: Database,
  by: ScheduleName,
): Promise<{ loanId: string; scheduleId: string } | undefined> {
  const select = 'select p.loan_id as "loanId", p.schedule_id as "scheduleId" from ledger.positions p';
  const [row] =
    'scheduleId' in by
      ? await db.query<{ loanId: string; scheduleId: string }>(
          `select s.loan_id as "loanId", s.schedule_id as "scheduleId"
           from ledger.schedules s join ledger.positions p on p.loan_id = s.loan_id
           where s.schedule_id = $1 order by s.made_at desc limit 1`,
          [by.scheduleId],
        )
      : 'loanId' in by
        ? await db.query<{ loanId: string; scheduleId: string }>(
            `${select} where p.loan_id = $1 and p.schedule_id is not null`,
            [by.loanId],
          )
        : await db.query<{ loanId: string; scheduleId: string }>(
            `${select} join ledger.loans l on l.loan_id = p.loan_id
             where l.application_number = $1 and p.schedule_id is not null order by l.opened_at desc limit 1`,
            [by.applicationNumber],
          );
  return row;
}

/** Oldest first. */
export async function instalmentsOf(
  db: Database,
  { loanId, currency }: Loan,
  scheduleId: string,
): Promise<Instalment[]> {
  const rows = await db.query<InstalmentRow>(
    `select ${instalmentColumns} from ledger.instalments i where i.loan_id = $1 and i.schedule_id = $2
     order by i.due_on, i.number`,
    [loanId, scheduleId],
  );
  return rows.map((row) => instalmentFrom(row, currency));
}

/** What repayments and reversals have said of instalments of this schedule, in order. */
export async function linksToInstalments(
  db: Database,
  loanId: string,
  scheduleId: string,
): Promise<{ number: number; transferId: string }[]> {
  return db.query<{ number: number; transferId: string }>(
    `select (line ->> 0)::int as number, t.id as "transferId"
     from ledger.transfers t, json_array_elements(t.details -> 'instalments') as line
     where t.loan_id = $1 and t.kind in ('repayment', 'reversal') and t.details ->> 'scheduleId' = $2
     order by t.version`,
    [loanId, scheduleId],
  );
}

export interface AgingRow {
  closedOn: string;
  bucket: AgingBucket;
  previousBucket: AgingBucket | null;
  bucketSince: string;
}

export async function agingAtClose(db: Database, loanId: string): Promise<AgingRow | undefined> {
  const [row] = await db.query<AgingRow>(
    `select closed_on::text as "closedOn", bucket, previous_bucket as "previousBucket", bucket_since::text as "bucketSince"
     from ledger.agings where loan_id = $1`,
    [loanId],
  );
  return row;
}

export async function overdueLoans(
  db: Database,
  { bucket, minDays, maxDays, limit, after }: OverdueFilter,
): Promise<Pick<OverduePage, 'loans' | 'total'>> {
  const where = `a.days_past_due > 0 and ($1::text is null or a.bucket = $1) and a.days_past_due >= coalesce($2::int, 1)
    and ($3::int is null or a.days_past_due <= $3)`;
  const params = [bucket ?? null, minDays ?? null, maxDays ?? null];
  const rows = await db.query<{
    loanId: string;
    currency: string;
    daysPastDue: number;
    bucket: AgingBucket;
    overdue: string;
    updatedAt: Date;
  }>(
    `select a.loan_id as "loanId", l.currency, a.days_past_due as "daysPastDue", a.bucket, a.overdue_amount as overdue,
       a.closed_at as "updatedAt"
     from ledger.agings a join ledger.loans l on l.loan_id = a.loan_id
     where ${where} and ($4::int is null or a.days_past_due < $4 or (a.days_past_due = $4 and a.loan_id > $5))
     order by a.days_past_due desc, a.loan_id limit $6`,
    [...params, after?.daysPastDue ?? null, after?.loanId ?? null, limit],
  );
  const [count] = await db.query<{ total: string }>(
    `select count(*) as total from ledger.agings a where ${where}`,
    params,
  );
  return {
    loans: rows.map((row) => ({ ...row, overdue: toMinor(row.overdue, row.currency) })),
    total: Number(count?.total ?? 0),
  };
}
