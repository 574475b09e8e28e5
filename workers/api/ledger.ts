// What the ledger has of a loan. It is asked each time: nothing is answered from what was known before.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import type { RequestContext, Scope } from '../app.ts';
import type { ApiSettings } from './env.ts';
import { callLedger, ledgerProblems, type Message, refuseLedger } from './ledger-gateway.ts';
import { anyName, type Loan, loanNamed, presentBalance } from './ledger-loan.ts';
import {
  shownAging,
  shownRecord,
  shownSchedule,
  shownStatement,
  shownTransactions,
} from './ledger-messages.ts';
import { pageParameters, refuseQuery } from './pages.ts';
import { route } from './route.ts';
import {
  ledgerAging,
  ledgerBalance,
  ledgerRecord,
  ledgerSchedule,
  ledgerStatement,
  ledgerTransactions,
} from './shapes/ledger.ts';

type C = RequestContext<ApiSettings>;

const day = z.string().check(
  z.refine((text) => isDay(text), 'expected YYYY-MM-DD'),
  z.meta({ format: 'date' }),
);
/** A day that there is. */
function isDay(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const at = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text);
}

const transactionTypes = [
  ...(['disbursement', 'establishment_fee', 'repayment', 'late_fee', 'dishonour_fee'] as const),
  ...(['fee_waiver', 'adjustment', 'write_off'] as const),
] as const;

export const transactionParameters = {
  limit: pageParameters.limit,
  from: z.optional(day),
  to: z.optional(day),
  type: z.optional(z.enum(transactionTypes, `expected ${transactionTypes.join(', ')}`)),
};

/** Asks the ledger about the loan that is named. */
export async function askAbout(
  c: C,
  name: string,
  method: string,
  more: Message = {},
  id = 'loanAccountId',
): Promise<{ loan: Loan; message: Message } | Response> {
  const loan = await loanNamed(c, name);
  if (!loan.ok) return loan.refusal;
  const { accountId } = loan.value;
  const call = { service: 'accounting', method, message: { [id]: accountId, ...more } } as const;
  const answered = await callLedger(c, call, { changes: false });
  return answered.ok
    ? { loan: loan.value, message: answered.value }
    : refuseLedger(c, answered.refusal, accountId);
}

export const askTransactions = (
  c: C,
  name: string,
  { limit, from, to, type }: { limit: number; from?: string; to?: string; type?: string },
) =>
  askAbout(c, name, 'GetTransactions', {
    limit,
    fromDate: from,
    toDate: to,
    typeFilter: type?.toUpperCase(),
  });

const common = {
  permission: 'ledger:read',
  tag: 'Ledger',
  description: anyName,
  problems: ledgerProblems,
} as const;

export const ledgerRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/:id/transactions',
      {
        ...common,
        summary: 'Transactions of a loan, newest first',
        description: `${anyName} \`from\` and \`to\` are effective dates; \`totalCount\` is of all that match.`,
        query: z.object(transactionParameters),
        answers: { 200: ledgerTransactions },
      },
      async (c) => {
        const asked = await askTransactions(c, c.req.param('id'), c.req.valid('query'));
        if (asked instanceof Response) return asked;
        const { accountId, currency } = asked.loan;
        return c.json({ accountId, currency, ...shownTransactions(asked.message) });
      },
    ),
  )
  .get(
    ...route(
      '/:id/balance',
      {
        ...common,
        summary: 'What is owed on a loan, now or as of a day',
        query: z.object({ asOf: z.optional(day) }),
        answers: { 200: ledgerBalance },
      },
      async (c) => {
        const loan = await loanNamed(c, c.req.param('id'));
        if (!loan.ok) return loan.refusal;
        const { accountId } = loan.value;
        const balance = await presentBalance(c, loan.value, c.req.valid('query').asOf);
        return balance.ok
          ? c.json({ accountId, ...balance.value })
          : refuseLedger(c, balance.refusal, accountId);
      },
    ),
  )
  .get(
    ...route(
      '/:id/record',
      { ...common, summary: "The loan's record in the ledger", answers: { 200: ledgerRecord } },
      async (c) => {
        const asked = await askAbout(c, c.req.param('id'), 'GetLedgerRecord');
        if (asked instanceof Response) return asked;
        const { accountId, currency } = asked.loan;
        return c.json({ accountId, currency, ...shownRecord(asked.message) });
      },
    ),
  )
  .get(
    ...route(
      '/:id/statement',
      {
        ...common,
        summary: 'A statement of a loan over a time, both days included',
        query: z.object({ from: day, to: day }),
        answers: { 200: ledgerStatement },
      },
      async (c) => {
        const { from, to } = c.req.valid('query');
        if (from > to) return refuseQuery(c, ['to', 'expected a day that is not before `from`']);
        const period = { periodStart: from, periodEnd: to };
        const asked = await askAbout(c, c.req.param('id'), 'GetStatement', period);
        if (asked instanceof Response) return asked;
        const { accountId, currency } = asked.loan;
        return c.json({ accountId, currency, ...shownStatement(asked.message) });
      },
    ),
  )
  .get(
    ...route(
      '/:id/schedule',
      {
        ...common,
        summary: "The loan's schedule, with what the ledger has applied to each instalment",
        answers: { 200: ledgerSchedule },
      },
      async (c) => {
        const asked = await askAbout(c, c.req.param('id'), 'GetScheduleWithStatus');
        if (asked instanceof Response) return asked;
        const { accountId, currency } = asked.loan;
        return c.json({ accountId, currency, ...shownSchedule(asked.message) });
      },
    ),
  )
  .get(
    ...route(
      '/:id/aging',
      {
        ...common,
        summary: 'How late a loan is, as of the last close of day',
        answers: { 200: ledgerAging },
      },
      async (c) => {
        const asked = await askAbout(c, c.req.param('id'), 'GetAccountAging', {}, 'accountId');
        if (asked instanceof Response) return asked;
        const { accountId, currency } = asked.loan;
        return c.json({ accountId, currency, ...shownAging(asked.message) });
      },
    ),
  );
