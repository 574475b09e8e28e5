// Among many customers and loans, screens read by indexes: nothing that grows is read from one end to the other.

import { beforeAll, expect, test } from 'vitest';
import type { Database } from '../database.ts';
import { readConversation, readConversationEntries, readConversationsOf } from './conversations.ts';
import { readCustomer } from './customer.ts';
import { readLoanAccount } from './loan-account.ts';
import { resolveCustomer, resolveLoan } from './resolve.ts';
import { place, useProjections } from './testing.ts';
import { readTimeline } from './timeline.ts';

const projections = useProjections();
const many = 20_000;

/** Rows of each, made of the numbers n. */
const tables: Record<string, string> = {
  customers: `(customer_id, state, first_name, verified, merged_into)
    select 'C' || n, '{}', 'first ' || n, false, case when n % 10 = 0 then 'C' || n + 1 end from every`,
  loan_accounts: `(account_id, state, account_number, customer_id, application_number, currency)
    select 'A' || n, '{}', 'N' || n, 'C' || n, 'AP' || n, 'EUR' from every`,
  loan_borrowers: `(account_id, customer_id, role) select 'A' || n, 'C' || n, 'borrower' from every`,
  repayment_schedules: `(schedule_id, state, account_id, currency, version)
    select 'S' || n, '{}', 'A' || n, 'EUR', ' ' || n from every`,
  instalments: `(schedule_id, payment_number, due_on, amount)
    select 'S' || n, p, '2026-01-01'::date + 30 * p, 10 from every, generate_series(1, 4) p`,
  account_payments: `(payment_key, state, account_id, status, processed_at)
    select 'K' || n, '{}', 'A' || n, 'paid', now() from every`,
  received_payments: `(payment_id, state, loan_account_number, currency, amount, reversed, paid_at)
    select 'P' || n, '{}', 'N' || n, 'EUR', 5, 0, now() from every`,
  applications: `(application_number, state, customer_id, account_id) select 'AP' || n, '{}', 'C' || n, 'A' || n from every`,
  conversations: `(conversation_id, state, customer_id) select 'V' || n, '{}', 'C' || n from every`,
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
    await projections.owner.query(`analyze servicing.${table}`);
  }
});

const today = '2026-03-15';
const reads: Record<string, (db: Database) => Promise<unknown>> = {
  'a customer by an id': (db) => readCustomer(db, 'C77', today),
  'a customer by a CIF': (db) => readCustomer(db, 'F77', today),
  'a loan': (db) => readLoanAccount(db, 'N77', today),
  'a timeline': (db) => readTimeline(db, 'C77', { limit: 50, place }),
  'whom a name means': (db) => resolveCustomer(db, 'V77'),
  'which loan a name means': (db) => resolveLoan(db, 'AP77'),
  'the conversations of a customer': (db) => readConversationsOf(db, 'C77', undefined, 50),
  'a conversation': (db) => readConversation(db, 'V77'),
  'the lines of a conversation': (db) => readConversationEntries(db, 'V77', undefined, 50),
};

test.each(Object.entries(reads))('%s: no table is read whole', async (_, read) => {
  const plans: string[] = [];
  const explain = async (text: string, params: readonly unknown[] = []) => {
    const rows = await projections.api.query<{ 'QUERY PLAN': string }>(`explain ${text}`, params);
    plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
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
  expect(await read(explaining)).toBeDefined();
  expect(plans).toHaveLength(1);
  const whole = [...(plans[0] ?? '').matchAll(/Seq Scan on (\w+)/g)].map(([, table]) => table);
  // Archive partitions are empty here.
  expect(
    whole.filter((table) => Object.hasOwn(tables, table ?? '')),
    plans[0],
  ).toEqual([]);
});
