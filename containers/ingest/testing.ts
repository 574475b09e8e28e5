// For tests only: payments of any date, recorded as every payment is, and jobs run as the runner runs them.

import { randomUUID } from 'node:crypto';
import type { RunDetail } from '../../shared/operations/job.ts';
import { recordPayments } from '../../shared/payments/record-payments.ts';
import { newPayment } from '../../shared/payments/testing.ts';
import type { Pool } from '../database.ts';
import type { Job } from '../jobs.ts';

let references = 0;

/** Records payments with these dates; answers their ids. */
export async function recordOn(db: Pool, dates: readonly string[]): Promise<string[]> {
  const payments = dates.map((date) => {
    references += 1;
    return newPayment({
      referenceNumber: `REF-${references}-${randomUUID()}`,
      paymentDate: new Date(date),
      paidOn: date.slice(0, 10),
      // No double holds all of these digits.
      amount: { amountMinor: 900_719_925_474_099n - BigInt(references), currency: 'EUR' },
      metadata: '{"note": "Größe \\"1\\"\\n\\u2028", "exact": 10.000000000000000001}',
    });
  });
  const recorded = await recordPayments(db, payments);
  return recorded.map(({ paymentId }) => paymentId);
}

/** Runs a job once, with the rights of `db`. */
export function runJob(
  job: Job,
  db: Pool,
  now: string,
  changes: { signal?: AbortSignal; progress?: (detail: RunDetail) => Promise<void> } = {},
): Promise<RunDetail> {
  return job({
    db,
    now: new Date(now),
    signal: new AbortController().signal,
    progress: async () => {},
    ...changes,
  });
}

/** Which table a payment lies in, by the payment's id. */
export async function tableOf(owner: Pool): Promise<Record<string, string>> {
  const rows = await owner.query<{ id: string; table: string }>(
    `select id, tableoid::regclass::text as "table" from payment_service.payments`,
  );
  return Object.fromEntries(rows.map(({ id, table }) => [id, table.replace('payment_service.', '')]));
}
