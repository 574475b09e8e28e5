// Customers and loans under the paths of two earlier systems, the collection system's (/api/customers, /api/loans) and the
// servicing app's (/api/customer, /api/search): bare objects and arrays, amounts as JSON numbers, the next page in a Link
// header. The same reads, permissions and masks as under /api/v1.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { type AccountRow, readAccounts, readDelinquentAccounts } from '../../shared/read/accounts.ts';
import { readConversations } from '../../shared/read/conversations.ts';
import { type Customer, readCustomer } from '../../shared/read/customer.ts';
import { type LoanAccount, readLoanAccount } from '../../shared/read/loan-account.ts';
import { maskCustomer, masked } from '../../shared/read/mask.ts';
import { customerNamed } from '../../shared/read/resolve.ts';
import { searchCustomers, searchEverything, type ThingKind } from '../../shared/read/search.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { delinquentParameters, todayOf } from './accounts.ts';
import { survivorsOf } from './conversations.ts';
import type { ApiSettings } from './env.ts';
import { exactNumber } from './exact-number.ts';
import { bestOf, linkNext, listParameters, refusePlace } from './pages.ts';
import { route } from './route.ts';
import { notSearched, searchText } from './search.ts';
import { conversation } from './shapes/conversations.ts';
import { listedCustomer } from './shapes/customer.ts';
import {
  unversionedConversationFound,
  unversionedCustomer,
  unversionedLoan,
  unversionedLoanFound,
  unversionedLoanWhole,
} from './shapes/unversioned.ts';
import { customersOf, sightOf, unnamedReads } from './sight.ts';

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

async function oneCustomer(c: C, name: string): Promise<Response> {
  const sight = sightOf(c, { by: name, sql: customerNamed });
  const customer = sight && (await readCustomer(sight.db, name, todayOf(c)));
  return customer ? c.json(shownCustomer(sight.seen(customer, maskCustomer))) : refuse(c, 'not_found');
}

type Paging = { after?: string | undefined; limit: number };

/** Nobody is named in it. */
async function loansOf(c: C, customer: string, { after, limit }: Paging): Promise<Response> {
  const db = unnamedReads(c);
  if (!db) return refuse(c, 'not_found');
  const page = await readAccounts(db, { filter: { customer }, sort: 'openedAt', after, limit });
  if (!page.ok) return refusePlace(c);
  linkNext(c, page.value.next);
  return c.json(page.value.rows.map(shownLoan));
}

async function found<Row>(
  c: C,
  { q, limit }: { q: string; limit: number },
  kind: ThingKind,
  shown: (thing: { id: string; number: string | null; of: Owner }) => Row,
): Promise<Response> {
  const sight = sightOf(c, customersOf(limit));
  if (!sight) return refuse(c, 'not_found');
  const things = await searchEverything(sight.db, { q, limit, masked: sight.masked, kind });
  if (!things.ok) return notSearched(c);
  const rows = things.value.map((thing) => sight.seen(thing, masked));
  return c.json(
    rows.map(({ id, number, status, customerId, fullName }) =>
      shown({ id, number, of: { status, customerId, fullName } }),
    ),
  );
}
interface Owner {
  status: string | null;
  customerId: string | null;
  fullName: string | null;
}

const permission = 'customers:read';
const collections = { permission, tag: 'Customers, without a version' } as const;
const servicing = { permission, tag: 'Servicing app, without a version' } as const;
const paged = {
  query: z.object(listParameters),
  description: 'The next page is in the `Link` header.',
} as const;
const searched = { query: z.object({ q: searchText, ...bestOf }) } as const;

export const unversionedCustomerRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/customers/:cif',
      { ...collections, summary: 'A customer', answers: { 200: unversionedCustomer } },
      (c) => oneCustomer(c, c.req.param('cif')),
    ),
  )
  .get(
    ...route(
      '/customers/:cif/loans',
      {
        ...collections,
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
        ...collections,
        ...paged,
        summary: 'Loans that are late, the most late first',
        query: z.object({ ...listParameters, ...delinquentParameters }),
        answers: { 200: z.array(unversionedLoan) },
      },
      async (c) => {
        const { dpd = 1, ...asked } = c.req.valid('query');
        const db = unnamedReads(c);
        if (!db) return refuse(c, 'not_found');
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
      { ...collections, summary: 'A loan with its schedule', answers: { 200: unversionedLoanWhole } },
      async (c) => {
        const db = unnamedReads(c);
        const loan = db && (await readLoanAccount(db, c.req.param('accountNumber'), todayOf(c)));
        return loan ? c.json(shownWhole(loan)) : refuse(c, 'not_found');
      },
    ),
  )
  .get(
    ...route(
      '/customer/:customerId',
      { ...servicing, summary: 'A customer', answers: { 200: unversionedCustomer } },
      (c) => oneCustomer(c, c.req.param('customerId')),
    ),
  )
  .get(
    ...route(
      '/customer/:customerId/loan-accounts',
      {
        ...servicing,
        ...paged,
        summary: 'Loans of a customer, newest first',
        answers: { 200: z.array(unversionedLoan) },
      },
      (c) => loansOf(c, c.req.param('customerId'), c.req.valid('query')),
    ),
  )
  .get(
    ...route(
      '/customer/:customerId/conversations',
      {
        ...servicing,
        ...paged,
        summary: 'Conversations of a customer, the one that was active last first',
        answers: { 200: z.array(conversation) },
      },
      async (c) => {
        const { after, limit } = c.req.valid('query');
        const sight = sightOf(c, survivorsOf(limit));
        if (!sight) return refuse(c, 'not_found');
        const filter = { customer: c.req.param('customerId') };
        const page = await readConversations(sight.db, { filter, after, limit });
        if (!page.ok) return refusePlace(c);
        linkNext(c, page.value.next);
        return c.json(page.value.rows.map((row) => sight.seen(row, masked)));
      },
    ),
  )
  .get(
    ...route(
      '/search/customers',
      {
        ...servicing,
        ...searched,
        summary: 'Customers, best first',
        answers: { 200: z.array(listedCustomer) },
      },
      async (c) => {
        const asked = c.req.valid('query');
        const sight = sightOf(c, customersOf(asked.limit));
        if (!sight) return refuse(c, 'not_found');
        const customers = await searchCustomers(sight.db, { ...asked, masked: sight.masked });
        if (!customers.ok) return notSearched(c);
        return c.json(customers.value.map((row) => sight.seen(row, masked)));
      },
    ),
  )
  .get(
    ...route(
      '/search/loan-accounts',
      {
        ...servicing,
        ...searched,
        summary: 'Loans by their id or number, best first',
        answers: { 200: z.array(unversionedLoanFound) },
      },
      (c) =>
        found(c, c.req.valid('query'), 'account', ({ id, number, of }) => ({
          ...{ accountId: id, accountNumber: number, ...of },
        })),
    ),
  )
  .get(
    ...route(
      '/search/conversations',
      {
        ...servicing,
        ...searched,
        summary: 'Conversations by their id, best first',
        answers: { 200: z.array(unversionedConversationFound) },
      },
      (c) => found(c, c.req.valid('query'), 'conversation', ({ id, of }) => ({ conversationId: id, ...of })),
    ),
  );
