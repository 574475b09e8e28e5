// Customers and loans under the paths of the earlier collection system: bare objects and arrays, amounts as JSON numbers,
// the next page in a Link header. The same reads, permissions and masks as under /api/v1.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { type AccountRow, readAccounts, readDelinquentAccounts } from '../../shared/read/accounts.ts';
import { type Customer, readCustomer } from '../../shared/read/customer.ts';
import { type LoanAccount, readLoanAccount } from '../../shared/read/loan-account.ts';
import { maskCustomer } from '../../shared/read/mask.ts';
import { customerNamed } from '../../shared/read/resolve.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { delinquentParameters, todayOf } from './accounts.ts';
import type { ApiSettings } from './env.ts';
import { exactNumber } from './exact-number.ts';
import { linkNext, listParameters, refusePlace } from './pages.ts';
import { route } from './route.ts';
import { unversionedCustomer, unversionedLoan, unversionedLoanWhole } from './shapes/unversioned.ts';
import { sightOf, unnamedReads } from './sight.ts';

type C = RequestContext<ApiSettings>;

const shownCustomer = (customer: Customer) => ({
  customerId: customer.customerId,
  cif: customer.cif,
  firstName: customer.firstName,
  lastName: customer.lastName,
  fullName: customer.fullName,
  emailAddress: customer.emailAddress,
  mobilePhoneNumber: customer.mobilePhoneNumber,
  dateOfBirth: customer.dateOfBirth,
  ekycStatus: customer.ekycStatus,
  verified: customer.verified,
  residentialAddress: customer.residentialAddress,
  mailingAddress: customer.mailingAddress,
});

type Standing = Omit<AccountRow, 'fullName'>;
const shownLoan = (loan: Standing) => ({
  accountId: loan.accountId,
  accountNumber: loan.accountNumber,
  customerId: loan.customerId,
  status: loan.status,
  currency: loan.currency,
  loanAmount: exactNumber(loan.loanAmount),
  currentBalance: exactNumber(loan.currentBalance),
  arrearsAmount: exactNumber(loan.arrearsAmount),
  daysPastDue: loan.daysPastDue,
  agingBucket: loan.agingBucket,
  openedAt: loan.openedAt,
  closedAt: loan.closedAt,
});

const shownWhole = ({ schedule, lastPayment, borrowers, ...loan }: LoanAccount) => ({
  ...shownLoan({ ...loan, customerId: borrowers[0]?.survivingCustomerId ?? null }),
  loanFee: exactNumber(loan.loanFee),
  loanTotalPayable: exactNumber(loan.loanTotalPayable),
  lastPaymentAt: lastPayment?.at ?? null,
  lastPaymentAmount: exactNumber(lastPayment?.amount ?? null),
  schedule: schedule && {
    scheduleId: schedule.scheduleId,
    loanAmount: exactNumber(schedule.loanAmount),
    totalAmount: exactNumber(schedule.totalAmount),
    fee: exactNumber(schedule.fee),
    nPayments: schedule.nPayments,
    paymentFrequency: schedule.paymentFrequency,
    payments: schedule.instalments.map(({ paymentNumber, dueOn, amount, state }) => ({
      ...{ paymentNumber, dueDate: dueOn, amount: exactNumber(amount), status: state },
    })),
  },
});

export async function oneCustomer(c: C, name: string): Promise<Response> {
  const sight = sightOf(c, { by: name, sql: customerNamed });
  const customer = await readCustomer(sight.db, name, todayOf(c));
  return customer ? c.json(shownCustomer(sight.seen(customer, maskCustomer))) : refuse(c, 'not_found');
}

type Paging = { after?: string | undefined; limit: number };

/** Nobody is named in it. */
export async function loansOf(c: C, customer: string, { after, limit }: Paging): Promise<Response> {
  const db = unnamedReads(c);
  const page = await readAccounts(db, { filter: { customer }, sort: 'openedAt', after, limit });
  if (!page.ok) return refusePlace(c);
  linkNext(c, page.value.next);
  return c.json(page.value.rows.map(shownLoan));
}

const common = { permission: 'customers:read', tag: 'Customers, without a version' } as const;
export const paged = {
  query: z.object(listParameters),
  description: 'The next page is in the `Link` header.',
} as const;

export const unversionedCustomerRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/customers/:cif',
      { ...common, summary: 'A customer', answers: { 200: unversionedCustomer } },
      (c) => oneCustomer(c, c.req.param('cif')),
    ),
  )
  .get(
    ...route(
      '/customers/:cif/loans',
      {
        ...common,
        ...paged,
        summary: 'Loans of a customer, newest first',
        answers: { 200: z.array(unversionedLoan) },
      },
      (c) => loansOf(c, c.req.param('cif'), c.req.valid('query')),
    ),
  )
  .get(
    ...route(
      '/loans/delinquent',
      {
        ...common,
        ...paged,
        summary: 'Loans that are late, the most late first',
        query: z.object({ ...listParameters, ...delinquentParameters }),
        answers: { 200: z.array(unversionedLoan) },
      },
      async (c) => {
        const { dpd = 1, ...asked } = c.req.valid('query');
        const db = unnamedReads(c);
        const page = await readDelinquentAccounts(db, { ...asked, dpd, today: todayOf(c) });
        if (!page.ok) return refusePlace(c);
        linkNext(c, page.value.next);
        return c.json(page.value.rows.map(shownLoan));
      },
    ),
  )
  .get(
    ...route(
      '/loans/:accountNumber',
      { ...common, summary: 'A loan with its schedule', answers: { 200: unversionedLoanWhole } },
      async (c) => {
        const db = unnamedReads(c);
        const loan = db && (await readLoanAccount(db, c.req.param('accountNumber'), todayOf(c)));
        return loan ? c.json(shownWhole(loan)) : refuse(c, 'not_found');
      },
    ),
  );
