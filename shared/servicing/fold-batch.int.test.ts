import { afterAll, beforeAll, expect, test } from 'vitest';
import { event, type Folding, openFolding } from './testing.ts';

let folding: Folding;
let owner: Folding['owner'];
let fold: Folding['fold'];

beforeAll(async () => {
  folding = await openFolding(8);
  ({ owner, fold } = folding);
});
afterAll(() => folding.close());

const one = async (text: string, params: unknown[] = []) =>
  (await owner.query<Record<string, unknown>>(text, params))[0];

const created = (id: string, more: Record<string, unknown> = {}) => ({
  account_id: id,
  account_number: `N-${id}`,
  customer_id: `C-${id}`,
  status: 'AccountStatus.ACTIVE',
  loan_amount: '1000.00',
  current_balance: 1100.5,
  loan_fee: 100.5,
  loan_total_payable: '1100.50',
  opened_date: '2026-01-05T10:00:00',
  ...more,
});

test('an account comes into being, with its borrowers, its names and its archive', async () => {
  expect(
    await fold(
      event('account.created.v1', created('A1', { borrowers: [{ customer_id: 'C-2', role: 'guarantor' }] }), {
        id: 'made-1',
        at: '2026-01-05T09:00:00Z',
      }),
    ),
  ).toEqual(['folded']);
  expect(await one('select * from servicing.loan_accounts')).toMatchObject({
    account_id: 'A1',
    account_number: 'N-A1',
    customer_id: 'C-A1',
    status: 'active',
    currency: 'EUR',
    loan_amount: '1000.0000',
    current_balance: '1100.5000',
    opened_at: new Date('2026-01-05T09:00:00Z'),
    closed_at: null,
  });
  expect(await owner.query('select customer_id, role from servicing.loan_borrowers order by 1')).toEqual([
    { customer_id: 'C-2', role: 'guarantor' },
    { customer_id: 'C-A1', role: 'borrower' },
  ]);
  expect(await owner.query('select target, kind, value from servicing.identifiers order by kind')).toEqual([
    { target: 'account:A1', kind: 'account_id', value: 'A1' },
    { target: 'account:A1', kind: 'account_number', value: 'N-A1' },
  ]);
  const archived = await one(
    'select aggregate, subject, facts::text, octet_length(sealed) as sealed from servicing.events',
  );
  expect(archived).toMatchObject({ aggregate: 'account:A1', subject: 'customer:C-A1' });
  expect(archived?.sealed).toBeGreaterThan(100);
});

test('a repetition changes nothing, and another event under the same id is a conflict', async () => {
  const first = event(
    'account.updated.v1',
    { account_id: 'A2', current_balance: '5.00' },
    { id: 'same', at: '2026-02-01' },
  );
  const other = event(
    'account.updated.v1',
    { account_id: 'A2', current_balance: '6.00' },
    { id: 'same', at: '2026-02-01' },
  );
  expect(await fold(first, first, other)).toEqual(['folded', 'duplicate', 'conflict']);
  expect(await fold(other, first)).toEqual(['conflict', 'duplicate']);
  expect(await one(`select current_balance from servicing.loan_accounts where account_id = 'A2'`)).toEqual({
    current_balance: '5.0000',
  });
  expect(await one(`select count(*)::int as kept from servicing.events where event_id = 'same'`)).toEqual({
    kept: 1,
  });
});

test('a type that nobody handles is kept', async () => {
  expect(await fold(event('card.issued.v9', { customer_id: 'C-9', pan: 1 }))).toEqual(['folded']);
  expect(
    await one(`select aggregate, subject, facts::text from servicing.events where type = 'card.issued.v9'`),
  ).toEqual({
    aggregate: 'unhandled:card.issued.v9',
    subject: 'customer:C-9',
    facts: '{"payload":{}}',
  });
});

test('schedules, chats, merges and all the rest reach their tables', async () => {
  const lines = [1, 2].map((n) => ({ payment_number: n, due_date: `2026-03-0${n}`, amount: 50.25 }));
  await fold(
    event('account.schedule.created.v1', {
      account_id: 'A1',
      schedule_id: 'S1',
      total_amount: 100.5,
      n_payments: 2,
      payments: lines,
    }),
    event(
      'account.schedule.updated.v1',
      { account_id: 'A1', schedule_id: 'S1', payments: [{ payment_number: 2, status: 'MISSED' }] },
      { at: '2026-03-05' },
    ),
    event(
      'user_input',
      { utterance: 'I "cannot" pay \\ now {é}' },
      { conversation_id: 'V1', user_id: 'C-1', at: '2026-03-01T10:00:00Z' },
    ),
    event(
      'identityRisk_assessment',
      { outcome: 'PASS', score: 0.75 },
      { conversation_id: 'V1', at: '2026-03-01T10:01:00Z' },
    ),
    event(
      'final_decision',
      { decision: 'APPROVED', application_number: 'AP1' },
      { conversation_id: 'V1', at: '2026-03-01T10:02:00Z' },
    ),
    event(
      'customer.identity.merged.v1',
      { surviving_customer_id: 'C-1', merged_customer_ids: ['C-2', 'C-3'] },
      { at: '2026-03-01' },
    ),
    event('writeoff.approved.v1', { request_id: 'W1', approved_by: 'mary' }),
    event('writeoff.requested.v1', {
      request_id: 'W1',
      account_id: 'A1',
      amount: '10.00',
      requested_by: 'joe',
    }),
  );
  expect(
    await owner.query(
      'select payment_number, due_on::text, amount, status from servicing.instalments order by 1',
    ),
  ).toEqual([
    { payment_number: 1, due_on: '2026-03-01', amount: '50.2500', status: null },
    { payment_number: 2, due_on: '2026-03-02', amount: '50.2500', status: 'missed' },
  ]);
  expect(
    await owner.query(
      'select kind, author, content, detail from servicing.conversation_entries order by said_at',
    ),
  ).toEqual([
    { kind: 'utterance', author: 'customer', content: 'I "cannot" pay \\ now {é}', detail: null },
    {
      kind: 'assessment',
      author: 'identityRisk_assessment',
      content: 'pass',
      detail: { outcome: 'PASS', score: '0.75' },
    },
    { kind: 'decision', author: null, content: null, detail: 'approved' },
  ]);
  expect(
    await one(`select decision, customer_id from servicing.conversations where conversation_id = 'V1'`),
  ).toEqual({ decision: 'approved', customer_id: 'C-1' });
  expect(await one(`select decision from servicing.applications where application_number = 'AP1'`)).toEqual({
    decision: 'approved',
  });
  expect(await owner.query(`select id from servicing.same_customers('C-3') as id order by 1`)).toEqual([
    { id: 'C-1' },
    { id: 'C-2' },
    { id: 'C-3' },
  ]);
  expect(await one(`select status, requested_by, decided_by from servicing.approvals`)).toEqual({
    status: 'approved',
    requested_by: 'joe',
    decided_by: 'mary',
  });
});
