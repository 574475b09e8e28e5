// The ledger under the paths of the servicing app: its five operations, bare objects, amounts as JSON numbers, and beside
// what a refusal says anyway `success: false` and `error`. The same commands, limits and permissions as under /api/v1.

import { Hono } from 'hono';
import { createMiddleware } from 'hono/factory';
import * as z from 'zod/mini';
import { isNumberSource } from '../../shared/exact-json.ts';
import type { Permission } from '../../shared/staff/permissions.ts';
import type { RequestContext, Scope } from '../app.ts';
import type { ApiSettings } from './env.ts';
import { exactNumber } from './exact-number.ts';
import { askTransactions, transactionParameters } from './ledger.ts';
import { type Build, builds, command, commandProblems } from './ledger-commands.ts';
import { ledgerProblems, refuseLedger } from './ledger-gateway.ts';
import { loanNamed, presentBalance } from './ledger-loan.ts';
import { shownPosting, type shownTransaction, shownTransactions } from './ledger-messages.ts';
import { route } from './route.ts';
import { requiredKey } from './shapes/ledger.ts';
import {
  feeAsked,
  unversionedBalance,
  unversionedPosted,
  unversionedRepaymentAsked,
  unversionedRequested,
  unversionedTransactions,
  unversionedWaiverAsked,
} from './shapes/unversioned-ledger.ts';

type C = RequestContext<ApiSettings>;

/** As the servicing app reads a refusal. */
const unsuccessful = createMiddleware(async (c, next) => {
  await next();
  if (c.res.headers.get('content-type') !== 'application/problem+json') return;
  const problem = (await c.res.json()) as { title: string; detail?: string };
  const body = { success: false, error: problem.detail ?? problem.title, ...problem };
  c.res = new Response(JSON.stringify(body), c.res);
});

const transaction = (t: ReturnType<typeof shownTransaction>) => ({
  transactionId: t.transactionId,
  type: t.type.toUpperCase(),
  effectiveDate: t.effectiveOn,
  transactionDate: t.recordedAt,
  principalDelta: exactNumber(t.principalDelta),
  feeDelta: exactNumber(t.feeDelta),
  totalDelta: exactNumber(t.totalDelta),
  principalAfter: exactNumber(t.principalAfter),
  feeAfter: exactNumber(t.feeAfter),
  totalAfter: exactNumber(t.totalAfter),
  description: t.description,
  createdBy: t.createdBy,
});

/** Decimal text of what came as text or as a number, digit for digit. */
const textOf = (amount: unknown): string => (isNumberSource(amount) ? amount.rawJSON : String(amount));

async function answer<B extends { loanAccountId: string; currency?: undefined }>(
  c: C,
  body: B,
  build: Build<B>,
): Promise<Response> {
  const done = await command(c, body.loanAccountId, body, build);
  if (!done.ok) return done.refusal;
  if (done.value.kind === 'request') {
    c.header('location', `/api/v1/approval-requests/${done.value.id}`);
    return c.json({ success: true, status: 'requested', requestId: done.value.id }, 202);
  }
  const shown = shownPosting(done.value.message);
  return c.json(
    {
      success: true,
      transactionId: shown.transactionId,
      transaction: shown.transaction && transaction(shown.transaction),
      allocatedToFees: exactNumber(shown.allocation?.fees ?? null),
      allocatedToPrincipal: exactNumber(shown.allocation?.principal ?? null),
      overpayment: exactNumber(shown.allocation?.overpayment ?? null),
    },
    201,
  );
}

const tag = 'Ledger, without a version';
const reading = { permission: 'ledger:read', tag, problems: ledgerProblems } as const;
const changing = (permission: Permission) =>
  ({ permission, tag, headers: requiredKey, exactNumbers: true, problems: commandProblems }) as const;
const loanAccountId = z.string('expected a text');

export const unversionedLedgerRoutes = new Hono<Scope<ApiSettings>>()
  .use(unsuccessful)
  .get(
    ...route(
      '/transactions',
      {
        ...reading,
        summary: 'Transactions of a loan, newest first',
        query: z.object({ loanAccountId, ...transactionParameters }),
        answers: { 200: unversionedTransactions },
      },
      async (c) => {
        const { loanAccountId: name, ...query } = c.req.valid('query');
        const asked = await askTransactions(c, name, query);
        if (asked instanceof Response) return asked;
        const { data, totalCount } = shownTransactions(asked.message);
        const transactions = data.map(transaction);
        return c.json({ success: true, loanAccountId: asked.loan.accountId, transactions, totalCount });
      },
    ),
  )
  .get(
    ...route(
      '/balance',
      {
        ...reading,
        summary: 'What is owed on a loan',
        query: z.object({ loanAccountId }),
        answers: { 200: unversionedBalance },
      },
      async (c) => {
        const loan = await loanNamed(c, c.req.valid('query').loanAccountId);
        if (!loan.ok) return loan.refusal;
        const { accountId } = loan.value;
        const balance = await presentBalance(c, loan.value);
        if (!balance.ok) return refuseLedger(c, balance.refusal, accountId);
        const { principal, fees, totalOutstanding, currency } = balance.value;
        return c.json({
          success: true,
          loanAccountId: accountId,
          currency,
          principalBalance: exactNumber(principal),
          feeBalance: exactNumber(fees),
          totalOutstanding: exactNumber(totalOutstanding),
        });
      },
    ),
  )
  .post(
    ...route(
      '/repayment',
      {
        ...changing('ledger:repay'),
        summary: 'Records a repayment',
        body: unversionedRepaymentAsked,
        answers: { 201: unversionedPosted },
      },
      (c) =>
        answer(c, c.req.valid('json'), ({ amount, paymentReference, ...body }, ...at) =>
          builds.repayment({ ...body, amount: textOf(amount), reference: paymentReference }, ...at),
        ),
    ),
  )
  .post(
    ...route(
      '/apply-fee',
      {
        ...changing('ledger:fees'),
        summary: 'Charges a late or dishonour fee',
        body: feeAsked,
        answers: { 201: unversionedPosted },
      },
      (c) =>
        answer(c, c.req.valid('json'), ({ feeType, feeAmount, daysPastDue, reason }, ...at) => {
          const fee = { amount: textOf(feeAmount), reason };
          return feeType === 'late_fee'
            ? builds.lateFee({ ...fee, daysPastDue: daysPastDue ?? 0 }, ...at)
            : builds.dishonourFee(fee, ...at);
        }),
    ),
  )
  .post(
    ...route(
      '/waive-fee',
      {
        ...changing('ledger:waive'),
        summary: 'Waives a fee; beyond the limit of the caller it becomes a request',
        body: unversionedWaiverAsked,
        answers: { 201: unversionedPosted, 202: unversionedRequested },
        problems: [...commandProblems, 'person_required'],
      },
      (c) =>
        answer(c, c.req.valid('json'), ({ waiverAmount, reason }, ...at) =>
          builds.waiver({ fees: [{ amount: textOf(waiverAmount) }], reason }, ...at),
        ),
    ),
  );
