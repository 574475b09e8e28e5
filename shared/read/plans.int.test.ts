// Among many customers and loans, screens read by indexes: nothing that grows is read from one end to the other.

import { createHash } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import type { Database } from '../database.ts';
import { readAccounts, readDelinquentAccounts, readSchedule } from './accounts.ts';
import { readConversation, readConversations } from './conversations.ts';
import { readCustomer } from './customer.ts';
import { readCustomers } from './customers.ts';
import { readLoanAccount } from './loan-account.ts';
import { readOverview } from './overview.ts';
import { pageKeys } from './page.ts';
import { resolveCustomer, resolveLoan } from './resolve.ts';
import { searchCustomers, searchEverything } from './search.ts';
import { place, useProjections } from './testing.ts';
import { readTimeline } from './timeline.ts';

/** The last name of the customer with this number. */
const lastName = (n: number) =>
  createHash('md5')
    .update(String(n))
    .digest('hex')
    .replace(/\d/g, (digit) => 'ghijklmnop'[Number(digit)] ?? '')
    .slice(0, 7);

const projections = useProjections();
const many = 40_000;

/** Rows of each, made of the numbers n. */
const tables: Record<string, string> = {
  customers: `(customer_id, state, full_name, email_address, phone_digits, told_at, verified, merged_into)
    select 'C' || n, '{}', 'First ' || left(translate(md5((n % 20000)::text), '0123456789', 'ghijklmnop'), 7), 'mail' || n || '@example.com', '4917' || lpad(n::text, 6, '0'),
      now() - make_interval(mins => n), false, case when n % 10 = 0 then 'C' || n + 1 end from every`,
  loan_accounts: `(account_id, state, account_number, customer_id, application_number, currency, status, days_past_due,
      arrears_amount, current_balance, opened_at)
    select 'A' || n, '{}', 'N' || n, 'C' || n, 'AP' || n, 'EUR', case n % 500 when 0 then 'written_off' else 'active' end,
      case n % 7 when 0 then n % 120 else 0 end, 10, n % 5000, now() - make_interval(mins => n) from every`,
  loan_borrowers: `(account_id, customer_id, role) select 'A' || n, 'C' || n, 'borrower' from every`,
  repayment_schedules: `(schedule_id, state, account_id, currency, version)
    select 'S' || n, '{}', 'A' || n, 'EUR', ' ' || n from every`,
  instalments: `(schedule_id, payment_number, due_on, amount)
    select 'S' || n, p, '2026-01-01'::date + 30 * p, 10 from every, generate_series(1, 4) p`,
  account_payments: `(payment_key, state, account_id, status, currency, amount, processed_at, scheduled_on)
    select 'K' || n, '{}', 'A' || n, case n % 2 when 0 then 'paid' else 'scheduled' end, 'EUR', 5, now(),
      '2026-01-01'::date + n % 1000 from every`,
  received_payments: `(payment_id, state, loan_account_number, reference_number, currency, amount, reversed, paid_at)
    select 'P' || n, '{}', 'N' || n, 'REF-' || n, 'EUR', 5, 0, now() from every`,
  applications: `(application_number, state, customer_id, account_id) select 'AP' || n, '{}', 'C' || n, 'A' || n from every`,
  conversations: `(conversation_id, state, customer_id, status, started_at)
    select 'V' || n, '{}', 'C' || n, 'open', now() - make_interval(mins => n) from every`,
  conversation_entries: `(conversation_id, event_id, kind, version)
    select 'V' || n, 'e' || n, 'utterance', ' e' || n from every`,
  notifications: `(notification_id, state, customer_id) select 'T' || n, '{}', 'C' || n from every`,
  statements: `(statement_id, state, account_id) select 'ST' || n, '{}', 'A' || n from every`,
  approvals: `(request_id, state, account_id, status) select 'W' || n, '{}', 'A' || n, 'requested' from every`,
  collection_cases: `(case_id, state, account_id, stop_contact) select 'CC' || n, '{}', 'A' || n, false from every`,
  identifiers: `(target, kind, value, version)
    select name.* from every cross join lateral (values
      ('customer:C' || n, 'customer_id', 'C' || n, ''), ('customer:C' || n, 'cif', 'F' || n, ' e'),
      ('account:A' || n, 'account_id', 'A' || n, ''), ('account:A' || n, 'account_number', 'N' || n, ' e')) name`,
};

beforeAll(async () => {
  for (const [table, rows] of Object.entries(tables)) {
    await projections.owner.query(
      `with every (n) as (select generate_series(1, ${many})) insert into servicing.${table} ${rows}`,
    );
    // Also for the map of what is visible to all, without which no index alone can answer.
    await projections.owner.query(`vacuum (analyze) servicing.${table}`);
  }
  await projections.owner.query('vacuum (analyze) servicing.name_words');
  await projections.owner.query(
    `insert into payment_service.payments (id, namespace, reference_number, loan_account_number, cif, amount, currency,
       payment_date, paid_on, payment_channel, source, event_id, actor, created_at)
     select gen_random_uuid(), 'default', 'REF-' || n, 'N' || n, 'F' || n, 5, 'EUR', now(), current_date, 'bank', 'webhook',
       gen_random_uuid(), 'test', '2026-03-01'::timestamptz + make_interval(mins => n) from generate_series(1, $1::int) n`,
    [many],
  );
  await projections.owner.query('analyze payment_service.payments');
}, 120_000);

const today = '2026-03-15';
const middleOf = (list: string, part: 'text' | 'instant' | 'integer', key: string, id: string) =>
  pageKeys(list, part, 'text').encode([key, id]);
const reads: Record<string, (db: Database) => Promise<unknown>> = {
  'a customer by an id': (db) => readCustomer(db, 'C77', today),
  'a customer by a CIF': (db) => readCustomer(db, 'F77', today),
  'a loan': (db) => readLoanAccount(db, 'N77', today),
  'a timeline': (db) => readTimeline(db, 'C77', { limit: 50, place }),
  'whom a name means': (db) => resolveCustomer(db, 'V77'),
  'which loan a name means': (db) => resolveLoan(db, 'AP77'),
  'a conversation with its lines': (db) => readConversation(db, 'V77', { limit: 50 }),
  "a loan's schedule": (db) => readSchedule(db, 'N77', { limit: 50, today }),
  ...Object.fromEntries(
    [
      lastName(77),
      `frist ${lastName(77).slice(1)}`,
      `first ${lastName(77)}`,
      '4917000077',
      'mail77@',
      'N77',
      'F77',
      'REF-77',
      'one two three',
    ].flatMap((q) => [
      [`customers by ${q}`, (db: Database) => searchCustomers(db, { q, limit: 20 })],
      [`customers by ${q}, masked`, (db: Database) => searchCustomers(db, { q, limit: 20, masked: true })],
      [`everything by ${q}`, (db: Database) => searchEverything(db, { q, limit: 20 })],
    ]),
  ),
  'customers by name': (db) => readCustomers(db, { filter: {}, sort: 'name', limit: 50 }),
  'customers by name, further on': (db) =>
    readCustomers(db, {
      filter: {},
      sort: 'name',
      after: middleOf('customers by name', 'text', 'first m', 'C5'),
      limit: 50,
    }),
  'customers by news': (db) => readCustomers(db, { filter: { verified: false }, sort: 'newest', limit: 50 }),
  'loans by days past due': (db) => readAccounts(db, { filter: {}, sort: 'daysPastDue', limit: 50 }),
  'loans by days past due, further on': (db) =>
    readAccounts(db, {
      filter: {},
      sort: 'daysPastDue',
      after: middleOf('accounts by daysPastDue', 'integer', '0', 'A5'),
      limit: 50,
    }),
  'loans by opening': (db) => readAccounts(db, { filter: { currency: 'EUR' }, sort: 'openedAt', limit: 50 }),
  'loans by opening, of a status that few have': (db) =>
    readAccounts(db, { filter: { status: 'written_off' }, sort: 'openedAt', limit: 50 }),
  'loans by balance': (db) => readAccounts(db, { filter: { status: 'active' }, sort: 'balance', limit: 50 }),
  'loans of a class of lateness': (db) =>
    readAccounts(db, { filter: { bucket: '61-90' }, sort: 'daysPastDue', limit: 50 }),
  'loans of a customer': (db) =>
    readAccounts(db, { filter: { customer: 'F77' }, sort: 'openedAt', limit: 50 }),
  'late loans': (db) => readDelinquentAccounts(db, { dpd: 30, limit: 50, today }),
  conversations: (db) => readConversations(db, { filter: {}, limit: 50 }),
  'conversations of a status': (db) => readConversations(db, { filter: { status: 'open' }, limit: 50 }),
  'conversations of a customer': (db) => readConversations(db, { filter: { customer: 'C77' }, limit: 50 }),
  'figures of the day': (db) => readOverview(db, { day: today, began: new Date(`${today}T00:00:00Z`) }),
};

const fullPartition = `payments_${new Date().toISOString().slice(0, 7).replace('-', '_')}`;

test.each(Object.entries(reads))('%s: no table is read whole', async (_, read) => {
  const plans: string[] = [];
  const explain = async (text: string, params: readonly unknown[] = []) => {
    const rows = await projections.api.query<{ 'QUERY PLAN': string }>(`explain ${text}`, params);
    plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
    // Who asks the same often gets a plan that is made for whatever may be asked.
    const generic = await projections.api.query<{ 'QUERY PLAN': string }>(`explain (generic_plan) ${text}`);
    plans.push(generic.map((row) => row['QUERY PLAN']).join('\n'));
  };
  const explaining: Database = {
    query: async (text, params) => {
      await explain(text, params);
      return projections.api.query(text, params);
    },
    arrays: async (text, params) => {
      await explain(text, params);
      return projections.api.arrays(text, params);
    },
  };
  const answer = await read(explaining);
  expect(answer).toBeDefined();
  if (typeof answer === 'object' && answer !== null && 'ok' in answer) expect(answer.ok).toBe(true);
  expect(plans.length).toBeGreaterThan(0);
  for (const plan of plans) {
    const whole = [...plan.matchAll(/Seq Scan on (\w+)/g)].map(([, table]) => table ?? '');
    // Partitions that are empty are read whole, and queues, which are short.
    expect(
      whole.filter(
        (table) => Object.hasOwn(tables, table) || table === fullPartition || table === 'name_words',
      ),
      plan,
    ).toEqual([]);
  }
});
