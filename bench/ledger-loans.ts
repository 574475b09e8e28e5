// Loans for measurements: opened, disbursed and with a schedule, as commands would have left them, but by the set.

import type { Pool } from '../containers/database.ts';

/** Loans in one transaction. */
const chunk = 10_000;

export interface LoansToOpen {
  prefix: string;
  count: number;
  /** Of the disbursement. Instalments are due from a month after it, month by month. */
  openedOn: string;
  interestRateBps: number;
}

/** PREFIX-0 and on, each of 120,000.00 EUR in six instalments; of every five loans one has paid its first. */
export async function openLoans(
  db: Pool,
  { prefix, count, openedOn, interestRateBps }: LoansToOpen,
): Promise<void> {
  for (let from = 0; from < count; from += chunk) {
    const range = [prefix, from, Math.min(count, from + chunk) - 1];
    await db.transaction(async (tx) => {
      await tx.query(
        `insert into ledger.loans (loan_id, account_number, customer_id, application_number, currency, principal, establishment_fee,
           scheduled_interest, interest_rate_bps, opened_on, product, open_id, terms_hash, actor, opened_at)
         select $1 || '-' || n, 'N' || n, 'C' || n, 'A' || n, 'EUR', 120000, 0, 0, $5, $4::date, '', gen_random_uuid(), gen_random_uuid(),
           'job:bench', now() from generate_series($2::int, $3::int) as n`,
        [...range, openedOn, interestRateBps],
      );
      await tx.query(
        `insert into ledger.transfers (loan_id, version, id, key, request_hash, kind, effective_on, recorded_at, currency, principal, interest,
           fees, suspense, write_off, recovery, cash, income, principal_after, interest_after, fees_after, suspense_after, charges,
           scheduled, actor, details)
         select $1 || '-' || n, v, gen_random_uuid(), gen_random_uuid()::text, gen_random_uuid(),
           case v when 1 then 'disbursement' else 'repayment' end, $4::date + case v when 1 then 0 else 30 end, now(), 'EUR',
           case v when 1 then 120000 else -20000 end, 0, 0, 0, 0, 0, case v when 1 then -120000 else 20000 end, 0,
           case v when 1 then 120000 else 100000 end, 0, 0, 0, 0, case v when 1 then 0 else 20000 end, 'job:bench', '{"instalments":[]}'
         from generate_series($2::int, $3::int) as n cross join lateral generate_series(1, case when n % 5 = 4 then 2 else 1 end) as v`,
        [...range, openedOn],
      );
      await tx.query(
        `insert into ledger.positions (loan_id, currency, version, principal, cash, disbursed, scheduled_paid, schedule_id, updated_at)
         select $1 || '-' || n, 'EUR', 1 + paid, 120000 - paid * 20000, -120000 + paid * 20000, 120000, paid * 20000, 'S' || n, now()
         from generate_series($2::int, $3::int) as n cross join lateral (select (n % 5 = 4)::int as paid) as p`,
        range,
      );
      await tx.query(
        `insert into ledger.schedules (loan_id, schedule_id, currency, made_at, actor, recorded_at)
         select $1 || '-' || n, 'S' || n, 'EUR', now(), 'job:bench', now() from generate_series($2::int, $3::int) as n`,
        range,
      );
      await tx.query(
        `insert into ledger.instalments (loan_id, schedule_id, number, due_on, amount, paid, paid_on, updated_at)
         select $1 || '-' || n, 'S' || n, i, $4::date + 30 * i, 20000, case when i = 1 and n % 5 = 4 then 20000 else 0 end,
           case when i = 1 and n % 5 = 4 then $4::date + 30 end, now()
         from generate_series($2::int, $3::int) as n cross join generate_series(1, 6) as i`,
        [...range, openedOn],
      );
    });
  }
  await db.query('vacuum analyze');
}
