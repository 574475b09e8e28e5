import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import type { Database } from '../database.ts';
import type { NewPayment } from '../payments/payment.ts';
import { recordPayments } from '../payments/record-payments.ts';
import { acceptConflict } from '../payments/resolve-conflict.ts';
import { newPayment } from '../payments/testing.ts';
import type { Page, PageKey } from './page.ts';
import { readPaymentsByReference } from './payment-history.ts';
import { type PaymentFilter, readConflicts, readPayments } from './payments.ts';

let database: TestDatabase;
let owner: Pool;
let api: Pool;

const day = 86_400_000;
const today = Math.floor(Date.now() / day) * day;
const loan = { by: { loanAccountNumber: 'LN-PAGES' } };

const record = (payments: NewPayment[]) => recordPayments(owner, payments);
const paymentOn = (ms: number, over: Partial<NewPayment> = {}) => {
  const paymentDate = new Date(ms);
  return newPayment({
    paymentDate,
    paidOn: paymentDate.toISOString().slice(0, 10),
    loanAccountNumber: 'LN-PAGES',
    ...over,
  });
};
/** Groups of equal dates, in the partitions of five months and on both sides of them. */
const payments = [
  ...Array.from({ length: 60 }, (_, n) => paymentOn(today + Math.floor(n / 4) * 9 * day - 40 * day)),
  ...[Date.UTC(1999, 0), Date.UTC(1999, 0), Date.UTC(2199, 11, 31), Date.UTC(2199, 11, 31)].map((ms) =>
    paymentOn(ms),
  ),
  ...[0, 1, 2, 3].map((n) => paymentOn(today, { paymentChannel: 'SEPA', cif: n < 2 ? 'CIF-A' : 'CIF-B' })),
  ...[0, 1].map((n) => paymentOn(today + n, { loanAccountNumber: 'LN-OTHER', cif: 'CIF-A' })),
];

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 2, applicationName: 'test', timeoutMs: 20_000 });
  owner = open(database.url);
  api = open(database.urlFor('recoup_api'));
  await record(payments);
});
afterAll(async () => {
  await Promise.all([owner.close(), api.close()]);
  await database.drop();
});

async function walk<Row>(read: (after: PageKey | undefined) => Promise<Page<Row>>): Promise<Row[][]> {
  const pages: Row[][] = [];
  for (let after: PageKey | undefined, first = true; first || after; first = false) {
    const { rows, next } = await read(after);
    pages.push(rows);
    after = next;
    if (pages.length > 1_000) throw new Error('the pages do not end');
  }
  return pages;
}
const newestFirst = (of: NewPayment[]) =>
  of
    .map(({ paymentDate }) => paymentDate.toISOString())
    .sort()
    .reverse();
const ofLoan = payments.filter((payment) => payment.loanAccountNumber === 'LN-PAGES');

describe('pages of payments', () => {
  test.each([1, 3, 4, 7, 67, 68, 200])(
    'of %d walk every payment exactly once, newest first, equal dates included',
    async (limit) => {
      const pages = await walk((after) => readPayments(api, loan, after, limit));
      expect(pages).toHaveLength(Math.ceil(ofLoan.length / limit));
      const rows = pages.flat();
      expect(rows.map((row) => row.paymentDate)).toEqual(newestFirst(ofLoan));
      expect(new Set(rows.map((row) => row.referenceNumber))).toEqual(
        new Set(ofLoan.map((p) => p.referenceNumber)),
      );
      expect(new Set(rows.map((row) => row.id)).size).toBe(ofLoan.length);
    },
  );

  test('are not shifted by what is recorded meanwhile', async () => {
    const by = { by: { loanAccountNumber: 'LN-MOVING' } };
    const dated = (n: number) => paymentOn(today + n, { loanAccountNumber: 'LN-MOVING' });
    await record([1, 2, 3, 4].map(dated));
    const first = await readPayments(api, by, undefined, 2);
    await record([5, 6, 7].map(dated));
    const second = await readPayments(api, by, first.next, 2);
    const dates = [...first.rows, ...second.rows].map((row) => Date.parse(row.paymentDate) - today);
    expect(dates).toEqual([4, 3, 2, 1]);
    expect(second.next).toBe(undefined);
  });

  test('keep apart payments that differ by a microsecond', async () => {
    const by = { by: { loanAccountNumber: 'LN-MICRO' } };
    await record(Array.from({ length: 6 }, () => paymentOn(today, { loanAccountNumber: 'LN-MICRO' })));
    await owner.query(
      `update payment_service.payments p set payment_date = payment_date + n * interval '1 microsecond'
       from (select id, row_number() over () as n from payment_service.payments where loan_account_number = 'LN-MICRO') x
       where x.id = p.id`,
    );
    const rows = (await walk((after) => readPayments(api, by, after, 1))).flat();
    expect(new Set(rows.map((row) => row.id)).size).toBe(6);
    expect(new Set(rows.map((row) => row.paymentDate)).size).toBe(1);
  });

  test('of a customer hold the payments of all of their loans, and of a channel only that one’s', async () => {
    const customer = await readPayments(api, { by: { cif: 'CIF-A' } }, undefined, 10);
    expect(customer.rows.map((row) => row.loanAccountNumber).sort()).toEqual([
      'LN-OTHER',
      'LN-OTHER',
      'LN-PAGES',
      'LN-PAGES',
    ]);
    const sepa = await readPayments(api, { ...loan, channel: 'SEPA' }, undefined, 10);
    expect(sepa.rows).toHaveLength(4);
    expect((await readPayments(api, { by: { cif: '%' } }, undefined, 10)).rows).toEqual([]);
  });

  test('of a period have its beginning and not its end, across every partition', async () => {
    const instants = fc.constantFrom(
      ...ofLoan.flatMap(({ paymentDate }) => [-1, 0, 1].map((ms) => paymentDate.getTime() + ms)),
    );
    const bound = fc.option(instants, { nil: undefined, freq: 4 });
    await fc.assert(
      fc.asyncProperty(bound, bound, async (from, until) => {
        const filter: PaymentFilter = {
          ...loan,
          from: from === undefined ? undefined : new Date(from),
          until: until === undefined ? undefined : new Date(until),
        };
        const { rows } = await readPayments(api, filter, undefined, 100);
        const within = ofLoan.filter(({ paymentDate }) => {
          const at = paymentDate.getTime();
          return (from === undefined || at >= from) && (until === undefined || at < until);
        });
        expect(rows.map((row) => row.paymentDate)).toEqual(newestFirst(within));
      }),
      { numRuns: 50 },
    );
  });
});

test('a payment is shown with exact amounts and the digits of its metadata', async () => {
  const payment = newPayment({
    amount: { amountMinor: 1_230n, currency: 'KWD' },
    metadata: '{"n": 10.000000000000000001}',
  });
  const [recorded] = await record([payment]);
  expect(await readPaymentsByReference(api, payment.referenceNumber)).toEqual([
    {
      id: recorded?.paymentId,
      namespace: 'default',
      referenceNumber: payment.referenceNumber,
      loanAccountNumber: 'LN-1',
      cif: 'CIF-1',
      amount: '1.230',
      currency: 'KWD',
      paymentDate: '2026-11-23T10:15:30.123Z',
      paymentChannel: 'bank',
      source: 'webhook',
      metadata: '{"n": 10.000000000000000001}',
      linkedPaymentId: null,
      requiresReceipt: false,
      status: 'received',
      reversedAmount: '0.000',
      history: expect.stringContaining('received'),
      postings: '[]',
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    },
  ]);
});

test('a reference shows every payment that bears it: the first, other namespaces, accepted conflicts', async () => {
  const first = newPayment();
  const [recorded] = await record([first]);
  const [elsewhere] = await record([{ ...first, namespace: 'psp' }]);
  const [conflict] = await record([{ ...first, cif: 'CIF-2', loanAccountNumber: 'LN-2' }]);
  const conflictId = conflict?.outcome === 'conflict' ? conflict.conflictId : '';
  const accepted = await acceptConflict(api, { conflictId, reason: null, actor: 'test' });
  const rows = await readPaymentsByReference(api, first.referenceNumber);
  expect(rows.map((row) => [row.id, row.linkedPaymentId])).toEqual([
    [recorded?.paymentId, null],
    [elsewhere?.paymentId, null],
    [accepted.ok && accepted.value.paymentId, recorded?.paymentId],
  ]);
  expect(await readPaymentsByReference(api, 'no such reference')).toEqual([]);
});

describe('pages of conflicts', () => {
  /** Recorded in one call, so that all have the same time. */
  const originals = Array.from({ length: 10 }, (_, n) => newPayment({ referenceNumber: `CONFLICT-${n}` }));
  const versions = originals.map((payment, n) => ({
    ...payment,
    cif: 'CIF-2',
    amount: { amountMinor: BigInt(n + 1), currency: 'EUR' },
  }));

  test('walk every conflict exactly once, with both versions whole', async () => {
    await record(originals);
    await record(versions);
    for (const limit of [1, 3, 10]) {
      const rows = (await walk((after) => readConflicts(api, { status: 'open' }, after, limit))).flat();
      expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length);
      expect(rows.map((row) => row.referenceNumber).sort()).toEqual(
        originals.map((p) => p.referenceNumber).sort(),
      );
      for (const { referenceNumber, recorded, received } of rows) {
        const n = Number(referenceNumber.split('-')[1]);
        expect([recorded.amount, received.amount]).toEqual(['100.50', `0.${String(n + 1).padStart(2, '0')}`]);
        expect([recorded.cif, received.cif]).toEqual(['CIF-1', 'CIF-2']);
      }
    }
  });

  test('can be narrowed to a status, a reference or one conflict', async () => {
    const find = (filter: Parameters<typeof readConflicts>[1]) => readConflicts(api, filter, undefined, 20);
    const [one] = (await find({ referenceNumber: 'CONFLICT-3' })).rows;
    expect(one).toMatchObject({
      status: 'open',
      timesSeen: 1,
      decidedBy: null,
      decidedAt: null,
      acceptedPaymentId: null,
    });
    expect((await find({ id: one?.id as string })).rows).toEqual([one]);
    await acceptConflict(api, { conflictId: one?.id as string, reason: 'ok', actor: 'key:staff' });
    const [accepted] = (await find({ status: 'accepted', referenceNumber: 'CONFLICT-3' })).rows;
    expect(accepted).toMatchObject({
      id: one?.id,
      status: 'accepted',
      decidedBy: 'key:staff',
      reason: 'ok',
      paymentId: one?.paymentId,
    });
    expect((await find({ status: 'open' })).rows).toHaveLength(9);
  });
});

describe('the plan of a loan’s page', () => {
  interface Plan {
    'Node Type': string;
    'Index Name'?: string;
    'Relation Name'?: string;
    'Actual Rows': number;
    Plans?: Plan[];
  }
  const nodes = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodes)];

  /** The plan of whatever `read` asks, as it was carried out. */
  async function planOf(read: (db: Database) => Promise<unknown>): Promise<Plan[]> {
    let asked: [string, readonly unknown[]] = ['', []];
    await read({
      query: api.query,
      arrays: (text, params = []) => {
        asked = [text, params];
        return api.arrays(text, params);
      },
    });
    const [row] = await api.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
      `explain (analyze, format json) ${asked[0]}`,
      asked[1],
    );
    return nodes((row as { 'QUERY PLAN': [{ Plan: Plan }] })['QUERY PLAN'][0].Plan);
  }

  test('reads the index of every partition that may hold rows, in order, and little more than the page', async () => {
    await owner.query(
      `insert into payment_service.payments (id, namespace, reference_number, loan_account_number, cif, amount, currency,
         payment_date, paid_on, payment_channel, source, event_id, actor)
       select gen_random_uuid(), 'default', 'BULK-' || n, 'LN-' || n % 500, 'CIF-' || n % 500, 1, 'EUR', at, at::date, 'bank', 'sync',
         gen_random_uuid(), 'test'
       from (select n, now() + ((n % 160) - 60) * interval '1 day' as at from generate_series(1, 30000) as n) as bulk`,
    );
    await owner.query(
      `insert into payment_service.payment_references (namespace, reference_number, payment_id, payment_date, amount, currency,
         loan_account_number, cif, paid_on)
       select namespace, reference_number, id, payment_date, amount, currency, loan_account_number, cif, paid_on
       from payment_service.payments where reference_number like 'BULK-%'`,
    );
    await owner.query('analyze payment_service.payments, payment_service.payment_references');
    const after = { at: new Date(today).toISOString(), id: crypto.randomUUID() };
    for (const by of [{ loanAccountNumber: 'LN-7' }, { cif: 'CIF-7' }]) {
      const plan = await planOf((db) => readPayments(db, { by }, after, 20));
      const scans = plan.filter((node) => /^payments_/.test(node['Relation Name'] ?? ''));
      const lookUps = plan.filter((node) => node['Relation Name'] === 'payment_references');
      expect(lookUps.map((node) => node['Index Name'])).toEqual(['payment_references_pkey']);
      expect(scans.length).toBeGreaterThan(2);
      const index = 'cif' in by ? /cif_payment_date_id_idx/ : /loan_account_number_payment_date_id_idx/;
      for (const scan of scans) expect(scan['Index Name'] ?? scan['Node Type']).toMatch(index);
      expect(plan.map((node) => node['Node Type'])).not.toContain('Sort');
      const read = scans.reduce((sum, scan) => sum + scan['Actual Rows'], 0);
      expect(read).toBeLessThanOrEqual(21 + scans.length);
    }
  });
});
