import { beforeAll, describe, expect, test } from 'vitest';
import type { Result } from '../result.ts';
import { event } from '../servicing/testing.ts';
import {
  type AccountSort,
  type AccountStatus,
  accountSorts,
  readAccounts,
  readDelinquentAccounts,
  readSchedule,
} from './accounts.ts';
import { readConversations } from './conversations.ts';
import { customerSorts, readCustomers } from './customers.ts';
import type { TextPage } from './page.ts';
import { recorded, useProjections } from './testing.ts';

const projections = useProjections();
const { fold } = projections;
const today = '2026-03-15';

/** All pages, and the key after each. */
async function all<Row>(
  read: (after: string | undefined) => Promise<Result<TextPage<Row>, string>>,
): Promise<{ rows: Row[]; keys: string[] }> {
  const rows: Row[] = [];
  const keys: string[] = [];
  let after: string | undefined;
  do {
    const page = await read(after);
    if (!page.ok) throw new Error(page.refusal);
    rows.push(...page.value.rows);
    after = page.value.next;
    if (after !== undefined) keys.push(after);
  } while (after !== undefined);
  return { rows, keys };
}

const aged = (id: string, days: number, arrears: string) =>
  event('loan.aging.updated.v1', { account_id: id, days_past_due: days, arrears_amount: arrears });
const loan = (id: string, customer: string, more: Record<string, unknown> = {}) =>
  event('account.created.v1', {
    account_id: id,
    account_number: `N-${id}`,
    customer_id: customer,
    status: 'ACTIVE',
    loan_amount: '300.00',
    ...more,
  });

beforeAll(async () => {
  await fold(
    event(
      'customer.created.v1',
      { customer_id: 'C1', first_name: 'Zoë', last_name: 'Adams', cif: 'F1' },
      { at: '2026-01-01' },
    ),
    event(
      'customer.created.v1',
      { customer_id: 'C2', first_name: 'Émile', last_name: 'Zola' },
      { at: '2026-01-03' },
    ),
    event(
      'customer.created.v1',
      { customer_id: 'C3', first_name: 'eva', last_name: 'Braun' },
      { at: '2026-01-02' },
    ),
    event(
      'customer.created.v1',
      { customer_id: 'C4', first_name: 'Old', last_name: 'Shell' },
      { at: '2026-01-04' },
    ),
    event('customer.verified.v1', { customer_id: 'C3', verified_at: '2026-01-05' }, { at: '2026-01-05' }),
    event(
      'customer.identity.merged.v1',
      { surviving_customer_id: 'C2', merged_customer_id: 'C4' },
      { at: '2026-01-06' },
    ),
    event('customer.created.v1', { customer_id: 'C9' }),
    loan('A1', 'C1', { current_balance: '240.00', opened_date: '2026-01-05' }),
    loan('A2', 'C2', { current_balance: '1000.00', opened_date: '2026-01-06', status: 'SUSPENDED' }),
    loan('A3', 'C4', {
      current_balance: '5.50',
      opened_date: '2025-01-01',
      loan_amount: '10.00',
      currency: 'USD',
    }),
    loan('A4', 'C3'),
    loan('A5', 'C3', { opened_date: '2026-01-05' }),
    aged('A1', 14, '40.00'),
    aged('A2', 95, '500.00'),
    aged('A3', 14, '1.00'),
    aged('A5', 61, '9.00'),
    event('account.closed.v1', { account_id: 'A5', closure_reason: 'WRITTEN_OFF' }),
    event('account.schedule.created.v1', {
      account_id: 'A1',
      schedule_id: 'S1',
      payments: [1, 2, 3, 4].map((n) => ({ payment_number: n, due_date: `2026-0${n}-20`, amount: '50.00' })),
    }),
    recorded('P1', 'N-A1', '60.00'),
    event(
      'conversation_started',
      { channel: 'web' },
      { conversation_id: 'V1', user_id: 'C1', at: '2026-03-01' },
    ),
    event(
      'conversation_started',
      { channel: 'voice' },
      { conversation_id: 'V2', user_id: 'C4', at: '2026-03-02' },
    ),
    event(
      'final_decision',
      { decision: 'APPROVED' },
      { conversation_id: 'V2', user_id: 'C4', at: '2026-03-03' },
    ),
    event('conversation_started', {}, { conversation_id: 'V3', user_id: 'C1' }),
  );
});

describe('customers', () => {
  const read = (sort: 'name' | 'newest', limit: number, filter = {}) =>
    all((after) => readCustomers(projections.api, { filter, sort, after, limit }));

  test.each([1, 2, 50])(
    'are in the order of their names, whatever their accents and letters (%i a page)',
    async (limit) => {
      const { rows } = await read('name', limit);
      expect(rows.map(({ fullName }) => fullName)).toEqual(['Émile Zola', 'eva Braun', 'Zoë Adams', null]);
    },
  );

  test.each([1, 3])('are in the order in which they were told of (%i a page)', async (limit) => {
    const { rows } = await read('newest', limit);
    expect(rows.map(({ customerId }) => customerId)).toEqual(['C3', 'C2', 'C1', 'C9']);
  });

  test('come with their loans, those under former ids too', async () => {
    const { rows } = await read('name', 50);
    expect(rows[0]).toMatchObject({ customerId: 'C2', loans: 2, daysPastDue: 95 });
    expect(rows[2]).toEqual({
      customerId: 'C1',
      cif: 'F1',
      fullName: 'Zoë Adams',
      emailAddress: null,
      mobilePhoneNumber: null,
      dateOfBirth: null,
      verified: false,
      toldAt: '2025-12-31T23:00:00.000Z',
      loans: 1,
      daysPastDue: 14,
    });
  });

  test('a page of another order is refused', async () => {
    for (const sort of customerSorts) {
      const page = await readCustomers(projections.api, { filter: {}, sort, limit: 1 });
      const after = page.ok ? page.value.next : undefined;
      for (const other of customerSorts) {
        const answer = await readCustomers(projections.api, { filter: {}, sort: other, after, limit: 1 });
        expect(answer.ok).toBe(other === sort);
      }
    }
  });

  test('are narrowed', async () => {
    expect((await read('name', 50, { verified: true })).rows).toMatchObject([{ customerId: 'C3' }]);
  });
});

describe('accounts', () => {
  const ids = async (sort: AccountSort, filter: Parameters<typeof readAccounts>[1]['filter'], limit = 2) =>
    (await all((after) => readAccounts(projections.api, { filter, sort, after, limit }))).rows.map(
      ({ accountId }) => accountId,
    );

  test.each([
    ['daysPastDue', ['A2', 'A5', 'A3', 'A1', 'A4']],
    ['openedAt', ['A2', 'A5', 'A1', 'A3', 'A4']],
    ['balance', ['A2', 'A1', 'A3', 'A5', 'A4']],
  ] as const)('by %s, in pages of any size', async (sort, expected) => {
    for (const limit of [1, 2, 3, 50]) expect(await ids(sort, {}, limit)).toEqual(expected);
  });

  test.each([
    [{ status: 'active' }, ['A3', 'A1', 'A4']],
    [{ bucket: '1-30' }, ['A3', 'A1']],
    [{ bucket: '61-90' }, ['A5']],
    [{ bucket: '90+' }, ['A2']],
    [{ dpdFrom: 14, dpdTo: 61 }, ['A5', 'A3', 'A1']],
    [{ dpdTo: 14 }, ['A3', 'A1']],
    [{ dpdFrom: 15, currency: 'EUR' }, ['A2', 'A5']],
    [{ currency: 'CHF' }, []],
    [{ customer: 'C2' }, ['A2', 'A3']],
    [{ customer: 'C4' }, ['A2', 'A3']],
    [{ customer: 'F1' }, ['A1']],
    [{ customer: 'nobody' }, []],
  ] as const)('narrowed by %j', async (filter, expected) => {
    expect(await ids('daysPastDue', filter)).toEqual(expected);
  });

  test('a page of another order or list is refused', async () => {
    for (const sort of accountSorts) {
      const page = await readAccounts(projections.api, { filter: {}, sort, limit: 1 });
      const after = page.ok ? page.value.next : undefined;
      expect(after).toBeDefined();
      for (const other of accountSorts) {
        const answer = await readAccounts(projections.api, { filter: {}, sort: other, after, limit: 1 });
        expect(answer.ok).toBe(other === sort);
      }
      expect(await readConversations(projections.api, { filter: {}, after, limit: 1 })).toEqual({
        ok: false,
        refusal: 'foreign_key',
      });
    }
  });

  test('are told with whose they are, the survivor of those who were several', async () => {
    const page = await readAccounts(projections.api, { filter: {}, sort: 'balance', limit: 3 });
    expect(page.ok && page.value.rows[2]).toMatchObject({
      accountId: 'A3',
      accountNumber: 'N-A3',
      customerId: 'C2',
      fullName: 'Émile Zola',
      status: 'active',
      currentBalance: '5.50',
      daysPastDue: 14,
      openedAt: '2024-12-31T23:00:00.000Z',
    });
  });
});

describe('delinquent accounts', () => {
  const read = (dpd: number, status?: AccountStatus, limit = 1) =>
    all((after) => readDelinquentAccounts(projections.api, { dpd, status, after, limit, today }));

  test('are the most late first, without those that are over', async () => {
    expect((await read(0)).rows.map(({ accountId }) => accountId)).toEqual(['A2', 'A3', 'A1']);
    expect((await read(15)).rows.map(({ accountId }) => accountId)).toEqual(['A2']);
    expect((await read(1, 'written_off')).rows.map(({ accountId }) => accountId)).toEqual(['A5']);
  });

  test('come with what is missed, next and paid', async () => {
    expect((await read(1, undefined, 50)).rows[2]).toMatchObject({
      accountId: 'A1',
      fullName: 'Zoë Adams',
      arrearsAmount: '40.00',
      missedInstalments: 1,
      nextInstalment: { paymentNumber: 3, dueOn: '2026-03-20', state: 'scheduled' },
      lastPayment: { source: 'received', amount: '60.00', reference: 'REF-P1' },
    });
  });
});

describe('a schedule', () => {
  test('comes in pages, each instalment with what became of it', async () => {
    for (const limit of [1, 3, 50]) {
      const rows: unknown[] = [];
      let after: string | undefined;
      do {
        const page = await readSchedule(projections.api, 'N-A1', { after, limit, today });
        if (!page.ok || !page.value) throw new Error('there is a schedule');
        rows.push(...page.value.rows.map(({ paymentNumber, state }) => `${paymentNumber} ${state}`));
        after = page.value.next;
      } while (after !== undefined);
      expect(rows).toEqual(['1 paid', '2 missed', '3 scheduled', '4 scheduled']);
    }
  });

  test('of a loan without one is empty; of no loan there is none', async () => {
    expect(await readSchedule(projections.api, 'A4', { limit: 5, today })).toEqual({
      ok: true,
      value: { accountId: 'A4', scheduleId: null, rows: [], next: undefined },
    });
    expect(await readSchedule(projections.api, 'nobody', { limit: 5, today })).toEqual({
      ok: true,
      value: undefined,
    });
  });

  test('that has been replaced has no next page', async () => {
    const page = await readSchedule(projections.api, 'A1', { limit: 1, today });
    const after = page.ok ? page.value?.next : undefined;
    expect(after).toBeDefined();
    await fold(
      event(
        'account.schedule.created.v1',
        { account_id: 'A1', schedule_id: 'S9', payments: [] },
        { at: '2027-01-01' },
      ),
    );
    expect(await readSchedule(projections.api, 'A1', { after, limit: 1, today })).toEqual({
      ok: false,
      refusal: 'foreign_key',
    });
  });
});

test('conversations of everybody are the last active first, and narrowed', async () => {
  const ids = async (filter: Parameters<typeof readConversations>[1]['filter'], limit: number) =>
    (await all((after) => readConversations(projections.api, { filter, after, limit }))).rows.map(
      ({ conversationId }) => conversationId,
    );
  for (const limit of [1, 2, 50]) expect(await ids({}, limit)).toEqual(['V2', 'V1', 'V3']);
  expect(await ids({ status: 'decided' }, 1)).toEqual(['V2']);
  expect(await ids({ channel: 'web' }, 1)).toEqual(['V1']);
  expect(await ids({ customer: 'C2' }, 1)).toEqual(['V2']);
  const page = await readConversations(projections.api, { filter: { customer: 'C4' }, limit: 1 });
  expect(page.ok && page.value.rows[0]).toMatchObject({ customerId: 'C4', fullName: 'Émile Zola' });
});
