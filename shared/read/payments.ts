// Payments and conflicts as screens show them. Amounts are decimal text in major units, metadata is JSON text.

import { and, asc, desc, eq, gte, lt, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { paymentConflicts, payments } from '../../drizzle/schema/payments.ts';
import { type Database, tables } from '../database.ts';
import { olderThan, type PageKey, toPage, utc } from './page.ts';

type Version = typeof payments | typeof paymentConflicts;

const versionColumns = (table: Version) => ({
  loanAccountNumber: table.loanAccountNumber,
  cif: table.cif,
  /** Decimal text in major units with the currency's decimals. */
  amount: sql<string>`round(${table.amount}, payment_service.currency_exponent(${table.currency}))::text`,
  currency: table.currency,
  paymentDate: utc(table.paymentDate, 'MS'),
  paymentChannel: table.paymentChannel,
  source: table.source,
  /** JSON text. */
  metadata: sql<string>`${table.metadata}::text`,
});

const paymentColumns = () => ({
  id: payments.id,
  referenceNumber: payments.referenceNumber,
  ...versionColumns(payments),
  linkedPaymentId: payments.linkedPaymentId,
  createdAt: utc(payments.createdAt, 'MS'),
});

export interface PaymentFilter {
  by: { loanAccountNumber: string } | { cif: string };
  channel?: string | undefined;
  /** Inclusive and exclusive instants. */
  from?: Date | undefined;
  until?: Date | undefined;
}

/** Newest first by payment date. */
export async function readPayments(
  db: Database,
  filter: PaymentFilter,
  after: PageKey | undefined,
  limit: number,
) {
  const rows = await tables(db)
    .select({ ...paymentColumns(), sortedAt: utc(payments.paymentDate, 'US') })
    .from(payments)
    .where(
      and(
        'cif' in filter.by
          ? eq(payments.cif, filter.by.cif)
          : eq(payments.loanAccountNumber, filter.by.loanAccountNumber),
        filter.channel === undefined ? undefined : eq(payments.paymentChannel, filter.channel),
        filter.from && gte(payments.paymentDate, filter.from),
        filter.until && lt(payments.paymentDate, filter.until),
        olderThan(payments.paymentDate, payments.id, after),
      ),
    )
    .orderBy(desc(payments.paymentDate), desc(payments.id))
    .limit(limit + 1);
  return toPage(rows, limit);
}

/** Every payment with this reference, the first recorded first: other namespaces and accepted conflicts follow. */
export async function readPaymentsByReference(db: Database, referenceNumber: string) {
  return tables(db)
    .select(paymentColumns())
    .from(payments)
    .where(eq(payments.referenceNumber, referenceNumber))
    .orderBy(asc(payments.createdAt), asc(payments.id))
    .limit(100);
}
export type PaymentRow = Awaited<ReturnType<typeof readPaymentsByReference>>[number];

/** Conflicts newest first, each with the version that was recorded and the one that came later. */
export async function readConflicts(
  db: Database,
  filter: {
    status?: 'open' | 'accepted' | 'dismissed' | undefined;
    referenceNumber?: string | undefined;
    id?: string;
  },
  after: PageKey | undefined,
  limit: number,
) {
  const first = alias(payments, 'first') as unknown as typeof payments;
  const rows = await tables(db)
    .select({
      id: paymentConflicts.id,
      status: paymentConflicts.status,
      referenceNumber: paymentConflicts.referenceNumber,
      paymentId: paymentConflicts.paymentId,
      recorded: versionColumns(first),
      received: versionColumns(paymentConflicts),
      timesSeen: paymentConflicts.timesSeen,
      firstSeenAt: utc(paymentConflicts.firstSeenAt, 'MS'),
      lastSeenAt: utc(paymentConflicts.lastSeenAt, 'MS'),
      decidedBy: paymentConflicts.decidedBy,
      decidedAt: utc(paymentConflicts.decidedAt, 'MS'),
      reason: paymentConflicts.reason,
      acceptedPaymentId: paymentConflicts.acceptedPaymentId,
      sortedAt: utc(paymentConflicts.firstSeenAt, 'US'),
    })
    .from(paymentConflicts)
    .innerJoin(first, eq(first.id, paymentConflicts.paymentId))
    .where(
      and(
        filter.id === undefined ? undefined : eq(paymentConflicts.id, filter.id),
        filter.status && eq(paymentConflicts.status, filter.status),
        filter.referenceNumber === undefined
          ? undefined
          : eq(paymentConflicts.referenceNumber, filter.referenceNumber),
        olderThan(paymentConflicts.firstSeenAt, paymentConflicts.id, after),
      ),
    )
    .orderBy(desc(paymentConflicts.firstSeenAt), desc(paymentConflicts.id))
    .limit(limit + 1);
  return toPage(rows, limit);
}
