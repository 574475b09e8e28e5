// Payments and conflicts as screens show them. Amounts are decimal text in major units, metadata is JSON text.

import { and, desc, eq, gte, lt, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { paymentConflicts, paymentReferences, payments } from '../../drizzle/schema/payments.ts';
import { type Database, tables } from '../database.ts';
import { olderThan, type PageKey, toPage, utc } from './page.ts';

/** `failed`: no payment has come under the reference, only attempts that failed. */
export type PaymentStatus = 'received' | 'partially_reversed' | 'reversed' | 'failed';

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
  // Lateral with a limit, so that it is looked up for the rows of the page alone and in their order.
  const reference = tables(db)
    .select({ reversed: paymentReferences.reversed })
    .from(paymentReferences)
    .where(
      and(
        eq(paymentReferences.namespace, payments.namespace),
        eq(paymentReferences.referenceNumber, payments.referenceNumber),
      ),
    )
    .limit(1)
    .as('reference');
  const rows = await tables(db)
    .select({
      id: payments.id,
      namespace: payments.namespace,
      referenceNumber: payments.referenceNumber,
      ...versionColumns(payments),
      linkedPaymentId: payments.linkedPaymentId,
      requiresReceipt: payments.requiresReceipt,
      status: sql<PaymentStatus>`payment_service.payment_status(${payments.amount}, coalesce(${reference.reversed}, 0))`,
      reversedAmount: sql<string>`round(coalesce(${reference.reversed}, 0), payment_service.currency_exponent(${payments.currency}))::text`,
      createdAt: utc(payments.createdAt, 'MS'),
      sortedAt: utc(payments.paymentDate, 'US'),
    })
    .from(payments)
    .leftJoinLateral(reference, sql`true`)
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

export type PaymentRow = Awaited<ReturnType<typeof readPayments>>['rows'][number];

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
