// The methods that read, of both services.

import {
  type InstalmentWithStatus,
  type ScheduleWithStatusResponse,
  TransactionType,
} from '../../../proto/generated/accounting_ledger.ts';
import { calendarDate, parseInstant } from '../../../shared/calendar-date.ts';
import type { Database } from '../../../shared/database.ts';
import { type AgingBucket, agingBuckets, type Schedule } from '../../../shared/ledger/answers.ts';
import type { LedgerRefusal, RefusalCode } from '../../../shared/ledger/command.ts';
import { totalPaid } from '../../../shared/ledger/loan.ts';
import { totalOf, transferKinds } from '../../../shared/ledger/posting.ts';
import { readAging, readOverdue } from '../../../shared/ledger/read-aging.ts';
import { readBalances, readRecord } from '../../../shared/ledger/read-loan.ts';
import { readSchedule } from '../../../shared/ledger/read-schedule.ts';
import { readStatement } from '../../../shared/ledger/read-statement.ts';
import { readTransfers, transfersAfter } from '../../../shared/ledger/read-transfers.ts';
import { ok, type Result, refused } from '../../../shared/result.ts';
import { isName } from '../../../shared/stream/envelope.ts';
import type { LedgerMethods } from '../server.ts';
import { balancesOf, descriptionOf, moneyIn, transactionOf, transferOf, typeOf } from './messages.ts';

type AccountingReads = Pick<
  LedgerMethods['accounting'],
  | 'getTransactions'
  | 'getBalance'
  | 'getLedgerRecord'
  | 'getStatement'
  | 'getScheduleWithStatus'
  | 'getAccountAging'
  | 'getOverdueAccounts'
>;
type LoanReads = Pick<LedgerMethods['loans'], 'getLoan' | 'listTransfers'>;

const usualLimit = 100;
const highestLimit = 500;
const highestPage = 1_000;

const refusal = (code: RefusalCode, message: string): Result<never, LedgerRefusal> =>
  refused({ code, message });
export const unknownLoan = () => refusal('unknown_loan', 'no such loan');
const isDate = (text: string) => /^\d{4}-\d{2}-\d{2}$/.test(text) && parseInstant(text, 'UTC') !== undefined;
const notADate = (field: string) => refusal('invalid_date', `${field} is not a date as 2026-11-29`);
const notALimit = (most: number) => refusal('invalid_text', `a limit is from 1 to ${most}`);

/** Undefined for what is no limit. */
function limitOf(given: number | undefined, most: number): number | undefined {
  if (!given) return Math.min(usualLimit, most);
  return given > 0 && given <= most ? given : undefined;
}

export function accountingReads(db: Database, timeZone: string, now: () => Date): AccountingReads {
  const today = () => calendarDate(now(), timeZone);
  return {
    async getTransactions({ loanAccountId, limit: given, fromDate, toDate, typeFilter }) {
      const limit = limitOf(given, highestLimit);
      if (limit === undefined) return notALimit(highestLimit);
      if (fromDate && !isDate(fromDate)) return notADate('from_date');
      if (toDate && !isDate(toDate)) return notADate('to_date');
      if (!isName(loanAccountId)) return unknownLoan();
      const kinds =
        typeFilter && typeFilter !== TransactionType.UNRECOGNIZED
          ? transferKinds.filter((kind) => typeOf[kind] === typeFilter)
          : undefined;
      const found = await readTransfers(db, loanAccountId, {
        from: fromDate || undefined,
        to: toDate || undefined,
        kinds,
        limit,
      });
      if (!found) return unknownLoan();
      return ok({
        loanAccountId,
        transactions: found.transfers.map(transactionOf),
        totalCount: found.total,
      });
    },

    async getBalance({ loanAccountId }) {
      const found = isName(loanAccountId) ? await readBalances(db, loanAccountId) : undefined;
      if (!found) return unknownLoan();
      const money = moneyIn(found.loan.currency);
      return ok({
        loanAccountId,
        principalBalance: money(found.balances.principal),
        feeBalance: money(found.balances.fees),
        totalOutstanding: money(totalOf(found.balances)),
        asOf: now(),
      });
    },

    async getLedgerRecord({ loanAccountId }) {
      const found = isName(loanAccountId) ? await readRecord(db, loanAccountId) : undefined;
      if (!found) return unknownLoan();
      const { loan, position, lastTransferId } = found;
      const money = moneyIn(loan.currency);
      return ok({
        loanAccountId,
        accountNumber: loan.accountNumber,
        customerId: loan.customerId,
        applicationNumber: loan.applicationNumber,
        disbursedPrincipal: money(position.disbursed),
        establishmentFee: money(loan.establishmentFee),
        totalRepayable: money(loan.principal + loan.establishmentFee + loan.scheduledInterest),
        principalBalance: money(position.balances.principal),
        feeBalance: money(position.balances.fees),
        totalOutstanding: money(totalOf(position.balances)),
        totalPaid: money(totalPaid(position)),
        transactionCount: position.version,
        lastTransactionId: lastTransferId,
        scheduleId: position.scheduleId,
        createdAt: loan.openedAt,
        updatedAt: position.updatedAt,
      });
    },

    async getStatement({ loanAccountId, periodStart, periodEnd }) {
      if (!isDate(periodStart)) return notADate('period_start');
      if (!isDate(periodEnd)) return notADate('period_end');
      if (periodEnd < periodStart) return refusal('invalid_date', 'period_end is before period_start');
      const found = isName(loanAccountId)
        ? await readStatement(db, loanAccountId, periodStart, periodEnd)
        : undefined;
      if (!found) return unknownLoan();
      const { loan } = found;
      const money = moneyIn(loan.currency);
      return ok({
        loanAccountId,
        accountNumber: loan.accountNumber,
        customerId: loan.customerId,
        periodStart,
        periodEnd,
        disbursedPrincipal: money(found.disbursed),
        establishmentFee: money(loan.establishmentFee),
        totalRepayable: money(loan.principal + loan.establishmentFee + loan.scheduledInterest),
        openingBalance: money(found.opening),
        feesCharged: money(found.charged),
        paymentsReceived: money(found.received),
        closingBalance: money(found.closing),
        lines: found.lines.map(({ transfer, change, balance }) => ({
          date: transfer.effectiveOn,
          transactionId: transfer.id,
          description: descriptionOf(transfer),
          charge: change > 0n ? money(change) : undefined,
          payment: change < 0n ? money(-change) : undefined,
          balance: money(balance),
        })),
        generatedAt: now(),
      });
    },

    async getScheduleWithStatus({ identifier }) {
      if (!identifier) return refusal('invalid_text', 'one of the identifiers is needed');
      const by = Object.values(identifier).at(-1) as string;
      if (!isName(by)) return refusal('unknown_loan', 'no such schedule');
      const found = await readSchedule(
        db,
        identifier.$case === 'loanAccountId'
          ? { loanId: by }
          : identifier.$case === 'scheduleId'
            ? { scheduleId: by }
            : { applicationNumber: by },
        today(),
      );
      return found ? ok(scheduleResponse(found)) : refusal('unknown_loan', 'no such schedule');
    },

    async getAccountAging({ accountId }) {
      const found = isName(accountId) ? await readAging(db, accountId, today()) : undefined;
      if (!found) return unknownLoan();
      const { previousBucket, bucketSince, oldest } = found;
      return ok({
        accountId,
        dpd: found.daysPastDue,
        bucket: found.bucket,
        daysUntilOverdue: found.daysUntilOverdue,
        lastUpdated: found.updatedAt.toISOString(),
        previousBucket,
        transitionReason: previousBucket && bucketSince ? `close of day ${bucketSince}` : undefined,
        oldestOverdueInstalmentId: oldest && `${oldest.scheduleId}#${oldest.number}`,
        totalOverdueAmount: moneyIn(found.currency)(found.overdue),
        isInArrears: found.daysPastDue > 0,
      });
    },

    async getOverdueAccounts({ bucketFilter, minDpd, maxDpd, pageSize, pageToken }) {
      const limit = limitOf(pageSize, highestPage);
      if (limit === undefined) return notALimit(highestPage);
      if (bucketFilter && !agingBuckets.includes(bucketFilter as AgingBucket))
        return refusal('invalid_text', `bucket_filter is none of ${agingBuckets.join(', ')}`);
      const after = pageToken ? readToken(pageToken) : undefined;
      if (after === null) return refusal('invalid_text', 'page_token is none of ours');
      const { loans, total, next } = await readOverdue(db, {
        bucket: (bucketFilter as AgingBucket) || undefined,
        minDays: minDpd,
        maxDays: maxDpd,
        limit,
        after,
      });
      return ok({
        accounts: loans.map(({ loanId, currency, daysPastDue, bucket, overdue, updatedAt }) => ({
          accountId: loanId,
          dpd: daysPastDue,
          bucket,
          daysUntilOverdue: 0,
          totalOverdueAmount: moneyIn(currency)(overdue),
          lastUpdated: updatedAt.toISOString(),
          isInArrears: daysPastDue > 0,
        })),
        totalCount: total,
        nextPageToken: next && writeToken(next),
      });
    },
  };
}

export function loanReads(db: Database): LoanReads {
  return {
    async getLoan({ loanAccountId, asOfDate }) {
      if (asOfDate && !isDate(asOfDate)) return notADate('as_of_date');
      const found = isName(loanAccountId)
        ? await readBalances(db, loanAccountId, asOfDate || undefined)
        : undefined;
      if (!found) return unknownLoan();
      const { loan, balances } = found;
      return ok({
        loanAccountId,
        accountNumber: loan.accountNumber,
        customerId: loan.customerId,
        applicationNumber: loan.applicationNumber,
        currency: loan.currency,
        product: loan.product,
        interestRateBps: loan.interestRateBps,
        openedOn: loan.openedOn,
        version: BigInt(found.version),
        balances: balancesOf(balances, loan.currency),
        totalOutstanding: moneyIn(loan.currency)(totalOf(balances)),
        asOfDate: found.asOf ?? '',
      });
    },

    async listTransfers({ loanAccountId, afterVersion, limit: given }) {
      const limit = limitOf(given, highestLimit);
      if (limit === undefined) return notALimit(highestLimit);
      if (!isName(loanAccountId) || !(await readBalances(db, loanAccountId))) return unknownLoan();
      const after = afterVersion < 0n ? 0n : afterVersion;
      const transfers =
        after > BigInt(Number.MAX_SAFE_INTEGER)
          ? []
          : await transfersAfter(db, loanAccountId, Number(after), limit);
      return ok({ transfers: transfers.map(transferOf) });
    },
  };
}

function scheduleResponse({ scheduleId, loan, instalments }: Schedule): ScheduleWithStatusResponse {
  const money = moneyIn(loan.currency);
  const count = (...statuses: string[]) =>
    instalments.filter(({ status }) => statuses.includes(status)).length;
  const sum = (of: 'amount' | 'paid' | 'remaining') =>
    money(instalments.reduce((total, instalment) => total + instalment[of], 0n));
  const next = instalments.find(({ remaining, status }) => remaining > 0n && status !== 'overdue');
  return {
    scheduleId,
    loanAccountId: loan.loanId,
    customerId: loan.customerId,
    applicationNumber: loan.applicationNumber,
    instalments: instalments.map(
      ({
        number,
        dueOn,
        amount,
        status,
        paid,
        remaining,
        paidOn,
        transferIds,
        updatedAt,
      }): InstalmentWithStatus => ({
        paymentNumber: number,
        dueDate: dueOn,
        scheduledAmount: money(amount),
        status,
        amountPaid: money(paid),
        amountRemaining: money(remaining),
        paidDate: paidOn,
        linkedTransactionIds: [...transferIds],
        lastUpdated: updatedAt.toISOString(),
      }),
    ),
    summary: {
      totalInstalments: instalments.length,
      paidCount: count('paid'),
      partialCount: count('partial'),
      overdueCount: count('overdue'),
      pendingCount: count('pending'),
      nextDueDate: next?.dueOn,
      nextDueAmount: next && money(next.remaining),
      totalScheduled: sum('amount'),
      totalPaid: sum('paid'),
      totalRemaining: sum('remaining'),
    },
  };
}

type PageStart = { daysPastDue: number; loanId: string };

const writeToken = ({ daysPastDue, loanId }: PageStart): string =>
  Buffer.from(`${daysPastDue} ${loanId}`).toString('base64url');

/** Null for what is no token. */
function readToken(token: string): PageStart | null {
  const [, days, loanId = ''] = /^(\d{1,6}) (.+)$/s.exec(Buffer.from(token, 'base64url').toString()) ?? [];
  return days !== undefined && isName(loanId) ? { daysPastDue: Number(days), loanId } : null;
}
