import { afterAll, beforeEach, expect, test } from 'vitest';
import type { Pool } from '../../containers/database.ts';
import type { StreamEvent } from '../stream/envelope.ts';
import { eraseCustomer } from './erase-customer.ts';
import { kindsOf, projectionGroups } from './projections.ts';
import { event, type Folding, openFolding, tools } from './testing.ts';
import { verify } from './verify.ts';

let folding: Folding | undefined;
let owner: Folding['owner'];
let fold: Folding['fold'];

beforeEach(async () => {
  await folding?.close();
  folding = await openFolding(8);
  ({ owner, fold } = folding);
});
afterAll(() => folding?.close());

const erase = async (customerId: string) => {
  const answer = await eraseCustomer(owner, { customerId, reason: 'asked to', requestedBy: 'mary' }, tools);
  return answer.ok ? answer.value : answer.refusal;
};
const rows = (text: string, params: unknown[] = []) => owner.query<Record<string, unknown>>(text, params);
async function differences() {
  let count = 0;
  const found = () => {
    count += 1;
  };
  for await (const _ of verify(owner, kindsOf(projectionGroups), tools, { found }));
  return count;
}

/** Everything that is kept in the schema, sealed bytes aside: what must not be there can be looked for. */
async function everythingKept(): Promise<string> {
  const tables = await owner.query<{ name: string }>(
    `select quote_ident(relname) as name from pg_class
     where relnamespace = 'servicing'::regnamespace and relkind = 'r' and not relispartition`,
  );
  const texts = [];
  for (const name of [...tables.map((table) => table.name), 'events']) {
    const found = await owner.query<{ row: string }>(
      `select (to_jsonb(t) - 'sealed')::text as row from servicing.${name} t`,
    );
    texts.push(...found.map(({ row }) => row));
  }
  return texts.join('\n');
}

const personal = [
  'Ada',
  'Lovelace',
  '555-0199',
  'ada@example.org',
  'my dog is ill',
  'P4SSPORT',
  'Roof',
  'bounced',
];

/** A person with a loan, a chat without their name in all its lines, and what was sent to them. */
const life = (id: string): StreamEvent[] => {
  const chat = { conversation_id: `V-${id}` };
  return [
    event('customer.created.v1', {
      customer_id: id,
      cif: `F-${id}`,
      first_name: 'Ada',
      last_name: 'Lovelace',
      mobile_phone_number: '+49 555-0199',
      residential_address: { line: 'Roof' },
    }),
    event('customer.identity.linked.v1', {
      customer_id: id,
      identifiers: [
        { type: 'passport', value: 'P4SSPORT' },
        { type: 'cif', value: `G-${id}` },
      ],
    }),
    event('account.created.v1', {
      account_id: `A-${id}`,
      account_number: `N-${id}`,
      customer_id: id,
      loan_amount: '1000.00',
      status: 'ACTIVE',
    }),
    event('user_input', { utterance: 'I am Ada' }, { ...chat, user_id: id, at: '2026-03-01T10:00:00Z' }),
    event('user_input', { utterance: 'my dog is ill' }, { ...chat, at: '2026-03-01T10:01:00Z' }),
    event('conversation_summary', { summary: 'Ada is late: my dog is ill' }, { ...chat, at: '2026-03-02' }),
    event('loan.aging.updated.v1', { account_id: `A-${id}`, days_past_due: 12, arrears_amount: '50.00' }),
    event('notification.sent.v1', {
      notification_id: `O-${id}`,
      customer_id: id,
      recipient: 'ada@example.org',
    }),
    event('notification.delivery_failed.v1', {
      notification_id: `O-${id}`,
      error_message: 'ada@example.org bounced',
    }),
    event('writeoff.requested.v1', {
      request_id: `W-${id}`,
      account_id: `A-${id}`,
      amount: '9.00',
      reason: 'Ada is ill',
    }),
    event('application.submitted.v1', {
      application_number: `P-${id}`,
      customer_id: id,
      loan_purpose: 'Roof',
    }),
    event('card.issued.v9', { customer_id: id, holder: 'Ada Lovelace' }),
  ];
};

test('what the law keeps is left, without names, and a second time changes nothing', async () => {
  await fold(...life('C1'));
  await fold(...life('C2').slice(0, 2));
  expect(await everythingKept()).toContain('Ada');
  expect(await erase('C1')).toEqual({
    customers: ['C1'],
    // The customer, the loan, the conversation, the notification, the approval and the application.
    subjects: 8,
    events: 12,
    aggregates: 6,
    deadLetters: 0,
    notes: 0,
    waiting: 0,
    shared: [],
  });
  expect(await rows(`select * from servicing.loan_accounts`)).toMatchObject([
    {
      account_id: 'A-C1',
      customer_id: 'C1',
      loan_amount: '1000.0000',
      days_past_due: 12,
      arrears_amount: '50.0000',
    },
  ]);
  expect(await rows(`select * from servicing.customers where customer_id = 'C1'`)).toMatchObject([
    { first_name: null, full_name: null, phone_digits: null, residential_address: null },
  ]);
  expect(
    await rows(`select kind, value from servicing.identifiers where target = 'customer:C1' order by 2`),
  ).toEqual([
    { kind: 'customer_id', value: 'C1' },
    { kind: 'cif', value: 'F-C1' },
    { kind: 'cif', value: 'G-C1' },
  ]);
  expect(await rows('select summary, customer_id from servicing.conversations')).toEqual([
    { summary: null, customer_id: 'C1' },
  ]);
  expect(
    await rows('select kind, author, content, said_at from servicing.conversation_entries order by said_at'),
  ).toEqual([
    { kind: 'utterance', author: 'customer', content: null, said_at: new Date('2026-03-01T10:00:00Z') },
    { kind: 'utterance', author: 'customer', content: null, said_at: new Date('2026-03-01T10:01:00Z') },
    { kind: 'summary', author: null, content: null, said_at: expect.any(Date) },
  ]);
  expect(await rows('select status, recipient, failure from servicing.notifications')).toEqual([
    { status: 'failed', recipient: null, failure: null },
  ]);
  expect(await rows('select amount, reason from servicing.approvals')).toEqual([
    { amount: '9.0000', reason: null },
  ]);
  expect(await differences()).toBe(0);
  expect(
    await rows(`select customer_id, subjects, events, reason, requested_by from servicing.erasures`),
  ).toEqual([{ customer_id: 'C1', subjects: 8, events: 12, reason: 'asked to', requested_by: 'mary' }]);
  expect(await rows(`select first_name from servicing.customers where customer_id = 'C2'`)).toEqual([
    { first_name: 'Ada' },
  ]);

  const after = await everythingKept();
  expect(await erase('C1')).toMatchObject({ subjects: 0, aggregates: 6 });
  expect(await everythingKept()).toBe(after);
  expect(await erase('C2')).toMatchObject({ customers: ['C2'] });
  const kept = await everythingKept();
  for (const text of personal) expect(kept).not.toContain(text);
});

test("what payments of the own log bring beside their facts is sealed by the bank's key, and goes with it", async () => {
  const payment = { id: 'P-1', loan_account_number: 'N-8', cif: 'F-8', amount: '20.00', currency: 'EUR' };
  await fold(
    ...life('8'),
    event('payment.recorded', { payment: { ...payment, metadata: { note: 'from Ada' } } }, { id: 'paid-8' }),
  );
  expect(await rows(`select subject from servicing.events where event_id = 'paid-8'`)).toEqual([
    { subject: 'cif:F-8' },
  ]);
  await erase('8');
  expect(await rows(`select wrapped from servicing.subject_keys where subject = 'cif:F-8'`)).toEqual([
    { wrapped: null },
  ]);
  expect(await rows(`select amount, cif from servicing.received_payments`)).toEqual([
    { amount: '20.0000', cif: 'F-8' },
  ]);
  expect(await differences()).toBe(0);
});

test('somebody nobody has told about is not erased', async () => {
  expect(await erase('nobody')).toBe('unknown_customer');
  expect(await rows('select * from servicing.subject_keys')).toEqual([]);
});

test('what comes later, or again, leaves nothing personal, and its amounts count', async () => {
  const first = life('C1');
  await fold(...first);
  await erase('C1');
  expect(await fold(...first)).toEqual(first.map(() => 'duplicate'));
  // The hash that could tell is gone: another event under the same id is nothing new, and is not kept as a conflict.
  expect(
    await fold(event('customer.changed.v1', { customer_id: 'C1', first_name: 'Ada' }, { id: first[0]?.id })),
  ).toEqual(['duplicate']);
  const [again] = await owner.query<{ outcome: string }>(
    `select outcome from servicing.keep_events(array[$1], array['11111111-1111-4111-8111-111111111111'::uuid], array['{}'], 'http')`,
    [first[0]?.id],
  );
  expect(again).toEqual({ outcome: 'duplicate' });
  const late = event('customer.changed.v1', { customer_id: 'C1', email_address: 'ada@example.org' });
  await fold(
    late,
    event('user_input', { utterance: 'my dog is ill' }, { conversation_id: 'V-C1' }),
    event('user_input', { utterance: 'my dog is ill' }, { conversation_id: 'V-new', user_id: 'C1' }),
    event('loan.aging.updated.v1', { account_id: 'A-C1', days_past_due: 40 }, { at: '2026-05-01' }),
    event('writeoff.rejected.v1', { request_id: 'W-C1', comment: 'Ada is ill' }),
    event('customer.identity.linked.v1', {
      customer_id: 'C1',
      identifier_type: 'passport',
      identifier_value: 'P4SSPORT',
    }),
  );
  const kept = await everythingKept();
  for (const text of personal) expect(kept).not.toContain(text);
  expect(kept).not.toContain(late.payloadHash);
  expect(await rows('select days_past_due from servicing.loan_accounts')).toEqual([{ days_past_due: 40 }]);
  expect(await rows(`select status from servicing.approvals`)).toEqual([{ status: 'rejected' }]);
  expect(await rows('select count(*)::int as lines from servicing.conversation_entries')).toEqual([
    { lines: 5 },
  ]);
  expect(await differences()).toBe(0);
});

test('a loan or a conversation of somebody else as well keeps its key', async () => {
  await fold(...life('C1'));
  await fold(
    event('account.updated.v1', {
      account_id: 'A-C1',
      borrowers: [{ customer_id: 'C9', role: 'guarantor' }],
    }),
    event('writeoff.rejected.v1', { request_id: 'W2', account_id: 'A-C1', comment: 'seen' }),
    event(
      'user_input',
      { utterance: 'I am Grace' },
      { conversation_id: 'V-C1', user_id: 'C9', at: '2026-03-05' },
    ),
  );
  expect(await erase('C1')).toMatchObject({ shared: ['account:A-C1', 'conversation:V-C1'] });
  expect(await rows(`select decision_note from servicing.approvals where request_id = 'W2'`)).toEqual([
    { decision_note: 'seen' },
  ]);
  expect(await rows('select content from servicing.conversation_entries order by said_at')).toEqual([
    { content: null },
    { content: 'my dog is ill' },
    { content: 'Ada is late: my dog is ill' },
    { content: 'I am Grace' },
  ]);
  expect(
    await rows(`select subject from servicing.subject_keys where erased_at is not null order by 1`),
  ).toEqual(
    ['application:P-C1', 'cif:F-C1', 'cif:G-C1', 'customer:C1', 'notification:O-C1'].map((subject) => ({
      subject,
    })),
  );
  expect(await differences()).toBe(0);
});

test('all that are the same customer are erased together', async () => {
  await fold(...life('C1'), ...life('C2'), ...life('C3'));
  await fold(
    event('customer.identity.merged.v1', { surviving_customer_id: 'C2', merged_customer_ids: ['C1'] }),
    event('customer.identity.merged.v1', { surviving_customer_id: 'C3', merged_customer_ids: ['C2'] }),
  );
  expect(await erase('C2')).toMatchObject({ customers: ['C1', 'C2', 'C3'], events: 38 });
  const kept = await everythingKept();
  for (const text of personal) expect(kept).not.toContain(text);
  expect(await rows(`select id from servicing.same_customers('C1') as id order by 1`)).toHaveLength(3);
  expect(await differences()).toBe(0);
});

test('what waits is folded without names, and what could not be folded goes', async () => {
  await fold(...life('C1'), ...life('C2'));
  const letter = (id: string) => ({
    event_type: 'customer.changed.v1',
    payload: JSON.stringify({ customer_id: id, first_name: 'Ada', date_of_birth: { wrong: 'Lovelace' } }),
  });
  for (const [n, id] of ['C1', 'C2'].entries()) {
    await owner.query(
      `insert into servicing.dead_letters (source, entry_id, fields, reason) values ('test', $1, $2, 'unreadable')`,
      [`${n}-0`, JSON.stringify(letter(id))],
    );
    for (const fields of [
      {
        event_type: 'account.updated.v1',
        payload: JSON.stringify({ account_id: `A-${id}`, current_balance: 5 }),
      },
      {
        event_type: 'customer.changed.v1',
        usr: id,
        payload: JSON.stringify({ customer_id: id, first_name: 'Ada' }),
      },
      letter(id),
    ])
      await owner.query(`insert into servicing.inbox (fields, source) values ($1, 'http')`, [
        JSON.stringify(fields),
      ]);
  }
  expect(await erase('C1')).toMatchObject({ deadLetters: 1, waiting: 3 });
  expect(await rows(`select current_balance from servicing.loan_accounts order by account_id`)).toEqual([
    { current_balance: '5.0000' },
    { current_balance: null },
  ]);
  expect(await rows(`select fields::text from servicing.inbox where fields::text like '%C1%'`)).toEqual([]);
  expect(await rows('select count(*)::int as n from servicing.inbox')).toEqual([{ n: 3 }]);
  expect(await rows(`select fields ->> 'payload' as payload from servicing.dead_letters`)).toEqual([
    { payload: expect.stringContaining('"C2"') },
  ]);
  expect(await rows(`select first_name from servicing.customers where customer_id = 'C1'`)).toEqual([
    { first_name: null },
  ]);
  expect(await differences()).toBe(0);
});

test('with very many events it is done in steps, and when it was cut off, the same request does the rest', async () => {
  await fold(...life('C1'));
  const count = 5_400;
  for (let i = 0; i < count; i += 900) {
    await fold(
      ...Array.from({ length: 900 }, (_, k) =>
        event(
          'user_input',
          { utterance: `my dog is ill ${i + k}` },
          { conversation_id: `V${(i + k) % 300}`, user_id: 'C1' },
        ),
      ),
    );
  }
  // Dies after the keys are gone, in the second of the steps.
  let transactions = 0;
  const dying: Pool = {
    ...owner,
    transaction: (work) => {
      transactions += 1;
      if (transactions === 3) throw new Error('killed');
      return owner.transaction(work);
    },
  };
  const request = { customerId: 'C1', reason: 'asked to', requestedBy: 'mary' };
  await expect(eraseCustomer(dying, request, tools)).rejects.toThrow('killed');
  expect(await differences()).toBeGreaterThan(0);
  expect(await erase('C1')).toMatchObject({ subjects: 0, events: count + 12, aggregates: 306 });
  expect(await differences()).toBe(0);
  const kept = await everythingKept();
  for (const text of personal) expect(kept).not.toContain(text);
  expect(await rows('select count(*)::int as n from servicing.conversation_entries')).toEqual([
    { n: count + 3 },
  ]);
  expect(await rows('select count(*)::int as n from servicing.erasures')).toEqual([{ n: 1 }]);
}, 60_000);

test('folds that run meanwhile keep nothing, whichever comes first', async () => {
  await fold(...life('C1'));
  const chat = (n: number) =>
    event('user_input', { utterance: `my dog is ill ${n}` }, { conversation_id: 'V-C1', user_id: 'C1' });
  const folding = Array.from({ length: 40 }, (_, n) => fold(chat(n)));
  await Promise.all([...folding, erase('C1')]);
  await fold(chat(40));
  const kept = await everythingKept();
  for (const text of personal) expect(kept).not.toContain(text);
  expect(await rows('select count(*)::int as n from servicing.conversation_entries')).toEqual([{ n: 44 }]);
  expect(await differences()).toBe(0);
});
