// Reversals as screens show them, and what is left of the payment they are about. Amounts are decimal text.

import { and, desc, eq, sql } from 'drizzle-orm';
import { paymentReferences, paymentReversals } from '../../drizzle/schema/payments.ts';
import { type Database, tables } from '../database.ts';
import type { Identity } from '../payments/payment.ts';
import { olderThan, type PageKey, toPage, utc } from './page.ts';
import type { PaymentStatus } from './payments.ts';

const of = paymentReversals;
const paid = paymentReferences;
const decimal = (amount: unknown, currency: unknown) =>
  sql<string | null>`round(${amount}, payment_service.currency_exponent(${currency}))::text`;
/** A reversal of all that is left has neither amount nor currency until it is applied. */
const currency = sql<string | null>`coalesce(${of.currency}, ${paid.currency})`;

const reversalColumns = {
  id: of.id,
  status: of.status,
  refusal: of.refusal,
  namespace: of.namespace,
  referenceNumber: of.referenceNumber,
  reversalReference: of.reversalReference,
  paymentId: of.paymentId,
  /** What was asked for; null is all that is left. */
  amount: decimal(of.amount, of.currency),
  /** What was taken back. */
  appliedAmount: decimal(of.appliedAmount, currency),
  currency,
  reason: of.reason,
  source: of.source,
  actor: of.actor,
  occurredAt: utc(of.occurredAt, 'MS'),
  settledAt: utc(of.settledAt, 'MS') as ReturnType<typeof sql<string | null>>,
  createdAt: utc(of.createdAt, 'MS'),
};
const ofItsPayment = and(eq(paid.namespace, of.namespace), eq(paid.referenceNumber, of.referenceNumber));

/** Newest first. */
export async function readReversals(
  db: Database,
  filter: {
    status?: 'held' | 'applied' | 'refused' | undefined;
    referenceNumber?: string | undefined;
    id?: string;
  },
  after: PageKey | undefined,
  limit: number,
) {
  const rows = await tables(db)
    .select({ ...reversalColumns, sortedAt: utc(of.createdAt, 'US') })
    .from(of)
    .leftJoin(paid, ofItsPayment)
    .where(
      and(
        filter.id === undefined ? undefined : eq(of.id, filter.id),
        filter.status && eq(of.status, filter.status),
        filter.referenceNumber === undefined ? undefined : eq(of.referenceNumber, filter.referenceNumber),
        olderThan(of.createdAt, of.id, after),
      ),
    )
    .orderBy(desc(of.createdAt), desc(of.id))
    .limit(limit + 1);
  return toPage(rows, limit);
}

/** How far a payment is reversed. */
export interface ReversedState {
  id: string;
  status: PaymentStatus;
  amount: string;
  currency: string;
  reversedAmount: string;
  /** What may still be reversed. */
  leftAmount: string;
}

/** The payment's state, undefined while it has not come. It is known for good, also when the payment is exported. */
export async function readReversedState(db: Database, of: Identity): Promise<ReversedState | undefined> {
  const exact = (amount: unknown) =>
    sql<string>`round(${amount}, payment_service.currency_exponent(${paid.currency}))::text`;
  const [row] = await tables(db)
    .select({
      id: paid.paymentId,
      status: sql<PaymentStatus>`payment_service.payment_status(${paid.amount}, ${paid.reversed})`,
      amount: exact(paid.amount),
      currency: paid.currency,
      reversedAmount: exact(paid.reversed),
      leftAmount: exact(sql`${paid.amount} - ${paid.reversed}`),
    })
    .from(paid)
    .where(and(eq(paid.namespace, of.namespace), eq(paid.referenceNumber, of.referenceNumber)));
  return row;
}
