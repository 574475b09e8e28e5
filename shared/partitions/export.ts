// A month of payments as files: what the manifest says, and how rows add up to what it says. The lines are made by the
// database (payment_service.payment_line): one JSON object a payment, every column, amounts as texts.

import * as z from 'zod/mini';

/** A payment as it is exported. Texts are the database's: instants with microseconds, amounts with all digits. */
export interface ExportedRow {
  id: string;
  paymentDate: string;
  line: string;
  /** A 64-bit number. */
  hash: string;
  amount: string;
  currency: string;
}

/** What tells whether a set of rows is the same set. */
export interface ExportTotals {
  rows: number;
  /** The sum of the lines' hashes. */
  digest: string;
}

export type DropOutcome = 'dropped' | 'changed' | 'gone';

export const manifestSchema = z.object({
  /** Of the manifest and the lines, not of the table. */
  formatVersion: z.literal(1),
  name: z.string().check(z.regex(/^payments_\d{4}_\d{2}(_\d+)?$/)),
  month: z.string().check(z.regex(/^\d{4}-\d{2}-01$/)),
  exportedAt: z.string(),
  /** The latest migration that the database had, by the time in drizzle/migrations/meta/_journal.json. */
  schemaVersion: z.number(),
  columns: z.array(z.object({ name: z.string().check(z.regex(/^[a-z_][a-z0-9_]*$/)), type: z.string() })),
  rows: z.number(),
  /** Of the amounts, by currency. */
  sums: z.record(z.string(), z.string()),
  digest: z.string(),
  files: z.array(
    z.object({
      name: z.string().check(z.regex(/^[\w.]+$/)),
      rows: z.number(),
      bytes: z.number(),
      /** Of the compressed file. */
      sha256: z.string(),
    }),
  ),
});
export type Manifest = z.output<typeof manifestSchema>;

/** Adds up rows. Amounts are added as whole ten-thousandths, never through a double. */
export function tally() {
  let rows = 0;
  let digest = 0n;
  const sums = new Map<string, bigint>();
  return {
    add(amount: string, currency: string, hash = '0'): void {
      rows += 1;
      digest += BigInt(hash);
      sums.set(currency, (sums.get(currency) ?? 0n) + tenThousandths(amount));
    },
    get rows() {
      return rows;
    },
    get digest() {
      return String(digest);
    },
    get sums(): Record<string, string> {
      return Object.fromEntries(
        [...sums].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([currency, sum]) => [currency, decimal(sum)]),
      );
    },
  };
}

/** Throws on anything that is not a number(19, 4) as Postgres writes it. */
function tenThousandths(amount: string): bigint {
  if (!/^-?\d{1,15}\.\d{4}$/.test(amount)) throw new RangeError('expected an amount with four decimals');
  return BigInt(amount.replace('.', ''));
}

function decimal(sum: bigint): string {
  const digits = String(sum < 0n ? -sum : sum).padStart(5, '0');
  return `${sum < 0n ? '-' : ''}${digits.slice(0, -4)}.${digits.slice(-4)}`;
}
