import { afterAll, beforeEach, expect, test } from 'vitest';
import { openVault } from '../../containers/projector/vault.ts';
import type { StreamEvent } from '../stream/envelope.ts';
import { kindsOf, projectionGroups, projections } from './projections.ts';
import { rebuild, takeUpUnhandled } from './rebuild.ts';
import type { Difference } from './refold.ts';
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

async function rebuildAll(options = { restart: false }) {
  const sum = { aggregates: 0, events: 0, corrected: 0, unreadable: 0 };
  for (const group of projectionGroups) {
    let last = { ...sum };
    for await (const soFar of rebuild(owner, group, tools, options)) last = soFar;
    for (const name of Object.keys(sum) as Array<keyof typeof sum>) sum[name] += last[name];
  }
  return sum;
}

async function differences(sample?: number): Promise<Difference[]> {
  const all: Difference[] = [];
  const found = (difference: Difference) => all.push(difference);
  for await (const { unreadable } of verify(owner, kindsOf(projectionGroups), tools, { found, sample })) {
    expect(unreadable).toBe(0);
  }
  return all;
}

const tables = [
  ...new Set(
    Object.values(projections).flatMap(({ table, lists }) => [table, ...lists.map((list) => list.table)]),
  ),
  'identifiers',
  'conversation_entries',
];

/** Everything that is live, without what depends on the order in which events came. */
async function live() {
  const all: Record<string, unknown[]> = {};
  for (const table of tables) {
    const rows = await owner.query<{ row: Record<string, unknown> }>(
      `select to_jsonb(t) - 'state' || case when to_jsonb(t) ? 'state' then jsonb_build_object('state', (to_jsonb(t) -> 'state')::jsonb) else '{}' end as row
       from servicing.${table} t order by t::text collate "C"`,
    );
    all[table] = rows
      .map(({ row }) => row)
      .sort((a, b) => (JSON.stringify(sorted(a)) < JSON.stringify(sorted(b)) ? -1 : 1))
      .map(sorted);
  }
  return all;
}
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  );
};

const account = (n: number | string) => ({
  account_id: `A${n}`,
  account_number: `N-${n}`,
  customer_id: `C${n}`,
  status: 'ACTIVE',
  loan_amount: '1000.00',
  borrowers: [{ customer_id: `G${n}`, role: 'guarantor' }],
});

/** Several of everything, out of order. */
function history(n: number): StreamEvent[] {
  const chat = { conversation_id: `V${n}`, user_id: `C${n}` };
  const payments = [1, 2].map((k) => ({ payment_number: k, due_date: `2026-03-0${k}`, amount: 50.25 }));
  return [
    event('account.updated.v1', { account_id: `A${n}`, current_balance: '7.50' }, { at: '2026-02-01' }),
    event('account.created.v1', account(n), { at: '2026-01-01' }),
    event('account.schedule.created.v1', { account_id: `A${n}`, schedule_id: `S${n}`, payments }),
    event('customer.changed.v1', { customer_id: `C${n}`, first_name: 'Ada' }, { at: '2026-01-03' }),
    event(
      'customer.created.v1',
      { customer_id: `C${n}`, first_name: 'A', cif: `F${n}` },
      { at: '2026-01-01' },
    ),
    event('customer.identity.merged.v1', { surviving_customer_id: `C${n}`, merged_customer_ids: [`M${n}`] }),
    event('user_input', { utterance: `I owe ${n}` }, { ...chat, at: '2026-03-01T10:00:00Z' }),
    event(
      'final_decision',
      { decision: 'APPROVED', application_number: `P${n}` },
      { ...chat, at: '2026-03-02' },
    ),
    event('creditRisk_assessment', { score: 0.75 }, chat),
    event(
      'payment.processed.v1',
      { account_id: `A${n}`, payment_id: `Y${n}`, amount: 5 },
      { at: '2026-03-03' },
    ),
    event('notification.sent.v1', {
      notification_id: `O${n}`,
      customer_id: `C${n}`,
      recipient: 'ada@example.org',
    }),
    event('writeoff.requested.v1', { request_id: `W${n}`, account_id: `A${n}`, amount: '10.00' }),
    event('collection.case.opened.v1', { account_id: `A${n}` }, { at: '2026-03-04' }),
  ];
}

test('a rebuild of what is right changes nothing, and there is no difference to find', async () => {
  for (let n = 0; n < 5; n++) await fold(...history(n));
  expect(await differences()).toEqual([]);
  const before = await live();
  const written = await owner.query('select xmin::text, customer_id from servicing.customers order by 2');
  // The final decision of a chat is read for the conversation and for the application.
  expect(await rebuildAll()).toMatchObject({ aggregates: 50, corrected: 0, unreadable: 0 });
  expect(await live()).toEqual(before);
  expect(await owner.query('select xmin::text, customer_id from servicing.customers order by 2')).toEqual(
    written,
  );
});

test('emptied tables are restored, what only other events tell about included', async () => {
  for (let n = 0; n < 230; n++) await fold(...history(n).slice(0, 9));
  const before = await live();
  for (const rows of ['customers', 'conversation_entries', 'applications', 'loan_borrowers', 'instalments'])
    expect(before[rows]?.length).toBeGreaterThanOrEqual(230);
  await owner.query(`truncate ${tables.map((table) => `servicing.${table}`).join(', ')}`);
  expect((await differences()).length).toBeGreaterThan(2_000);
  await rebuildAll();
  expect(await live()).toEqual(before);
  expect(await differences()).toEqual([]);
}, 120_000);

test('stopped, it goes on after the last page; told to restart, it begins anew', async () => {
  for (let n = 0; n < 450; n++)
    await fold(event('customer.created.v1', { customer_id: `C${n}`, first_name: 'A' }));
  await owner.query(`update servicing.customers set first_name = 'tampered'`);
  for await (const { aggregates } of rebuild(owner, 'customers', tools, { restart: false }))
    if (aggregates >= 200) break;
  const corrected = () => owner.query(`select from servicing.customers where first_name = 'A'`);
  expect(await corrected()).toHaveLength(200);

  let steps: number[] = [];
  for await (const { aggregates } of rebuild(owner, 'customers', tools, { restart: false }))
    steps.push(aggregates);
  expect(steps).toEqual([200, 400, 450]);
  expect(await corrected()).toHaveLength(450);

  for await (const { aggregates } of rebuild(owner, 'customers', tools, { restart: false }))
    if (aggregates >= 400) break;
  steps = [];
  for await (const { aggregates } of rebuild(owner, 'customers', tools, { restart: true }))
    steps.push(aggregates);
  expect(steps).toEqual([0, 200, 400, 450]);
  expect(
    await owner.query(
      'select projection, aggregates, events, finished_at is null as runs from servicing.rebuilds',
    ),
  ).toEqual([{ projection: 'customers', aggregates: '450', events: '450', runs: false }]);
}, 60_000);

test('a rebuild while events are folded ends in what all events give', async () => {
  const histories = Array.from({ length: 60 }, (_, n) => history(n % 20));
  const folding = (async () => {
    for (let i = 0; i < histories.length; i += 3)
      await Promise.all(histories.slice(i, i + 3).map((events) => fold(...events)));
  })();
  let isOver = false;
  void folding.finally(() => {
    isOver = true;
  });
  let rounds = 0;
  for (; !isOver || rounds === 0; rounds++) {
    await owner.query(`update servicing.loan_accounts set status = 'tampered' where account_id < 'A1'`);
    await rebuildAll({ restart: true });
  }
  await folding;
  await rebuildAll({ restart: true });
  expect(await differences()).toEqual([]);
  const [row] = await owner.query<{ entries: number }>(
    'select count(*)::int as entries from servicing.conversation_entries',
  );
  expect(row).toEqual({ entries: 60 * 3 });
}, 120_000);

test('a conversation of very many lines is restored line by line', async () => {
  const count = 6_000;
  for (let i = 0; i < count; i += 1_000) {
    const lines = Array.from({ length: 1_000 }, (_, k) =>
      event(
        'user_input',
        { utterance: `line ${i + k}` },
        { conversation_id: 'V', at: new Date(1_780_000_000_000 + (i + k) * 1_000).toISOString() },
      ),
    );
    await fold(...lines);
  }
  const before = await live();
  await owner.query(
    `update servicing.conversation_entries set content = 'tampered' where event_id like '%7'`,
  );
  await owner.query(`delete from servicing.conversation_entries where event_id like '%3'`);
  await owner.query(
    `insert into servicing.conversation_entries (conversation_id, event_id, kind, version) values ('V', 'alien', 'utterance', '')`,
  );
  expect((await differences()).length).toBe(1_201);
  await rebuildAll();
  expect(await live()).toEqual(before);
}, 60_000);

test('events of a type that nobody handled are taken up when somebody does', async () => {
  const events = history(1);
  await fold(...events);
  const before = await live();
  // As the projector of a version before would have kept them.
  await owner.query(
    `update servicing.events set aggregate = 'unhandled:' || type, related = null, facts = '{"payload":{}}'
     where type in ('user_input', 'final_decision')`,
  );
  await fold(event('card.issued.v9', { customer_id: 'C1' }));
  // Somebody who was erased since: nothing says any more which conversation it was.
  await fold(event('application_assessment', {}, { conversation_id: 'V2', user_id: 'C2' }));
  await owner.query(
    `update servicing.events set aggregate = 'unhandled:' || type, facts = '{"payload":{}}' where subject = 'customer:C2'`,
  );
  await owner.query(
    `update servicing.subject_keys set master = null, wrapped = null, erased_at = now() where subject = 'customer:C2'`,
  );
  await owner.query(`delete from servicing.conversation_entries`);
  await owner.query(`delete from servicing.conversations where conversation_id = 'V2'`);
  await owner.query(`delete from servicing.applications`);
  expect(await takeUpUnhandled(owner, tools)).toEqual({
    events: 2,
    groups: ['conversations', 'customers'],
    unreadable: 0,
  });
  expect(await takeUpUnhandled(owner, tools)).toEqual({ events: 0, groups: [], unreadable: 0 });
  await rebuildAll();
  expect(await live()).toEqual(before);
  expect(
    await owner.query(
      `select type, aggregate, related, facts -> 'payload' as facts from servicing.events
       where type in ('user_input', 'final_decision', 'card.issued.v9') order by type`,
    ),
  ).toEqual([
    { type: 'card.issued.v9', aggregate: 'unhandled:card.issued.v9', related: null, facts: {} },
    {
      type: 'final_decision',
      aggregate: 'conversation:V1',
      related: ['application:P1'],
      facts: { application_number: 'P1', decision: 'APPROVED' },
    },
    { type: 'user_input', aggregate: 'conversation:V1', related: null, facts: {} },
  ]);
});

test('every kind of difference is found, told, and corrected', async () => {
  for (const n of [1, 2, 3]) await fold(...history(n));
  const before = await live();
  await owner.query(`update servicing.loan_accounts set current_balance = 8 where account_id = 'A1'`);
  await owner.query(`update servicing.customers set state = '{"fields":{}}' where customer_id = 'C1'`);
  await owner.query(`delete from servicing.notifications where notification_id = 'O2'`);
  await owner.query(`delete from servicing.applications where application_number = 'P2'`);
  await owner.query(
    `insert into servicing.customers (customer_id, state, first_name, verified) values ('ghost', '{"fields":{}}', 'Boo', false)`,
  );
  await owner.query(`update servicing.loan_borrowers set role = 'x' where customer_id = 'G3'`);
  await owner.query(
    `delete from servicing.identifiers where target = 'account:A3' and kind = 'account_number'`,
  );
  await owner.query(`insert into servicing.identifiers values ('customer:nobody', 'cif', 'F0', '')`);
  const told = (await differences()).map(({ aggregate, table, columns, live, rebuilt }) => [
    `${aggregate} ${table}`,
    live && (columns.length > 5 ? 'row' : live),
    rebuilt && (columns.length > 5 ? 'row' : rebuilt),
  ]);
  expect(told.sort()).toEqual([
    ['account:A1 loan_accounts', ['8.0000'], ['7.50']],
    ['account:A3 identifiers', null, ['account_number', 'N-3', expect.stringContaining('2025-12-31T23')]],
    ['account:A3 loan_borrowers', null, ['G3', 'guarantor']],
    ['account:A3 loan_borrowers', ['G3', 'x'], null],
    ['application:P2 applications', null, 'row'],
    ['customer:C1 customers', ['{"fields":{}}'], [expect.stringContaining('Ada')]],
    ['customer:ghost customers', [], null],
    ['customer:nobody identifiers', ['cif', 'F0', ''], null],
    ['notification:O2 notifications', null, 'row'],
  ]);
  // By chance one comes upon what has a row or events of its own.
  expect((await differences(1_000)).length).toBe(7);
  expect(await rebuildAll()).toMatchObject({ corrected: 7 });
  expect(await differences()).toEqual([]);
  expect(await live()).toEqual(before);
});

test('a sealed event that cannot be opened stops a rebuild before anything is lost', async () => {
  await fold(event('customer.created.v1', { customer_id: 'C1', first_name: 'Ada' }));
  const others = { ...tools, vault: openVault([{ name: 'other', key: new Uint8Array(32).fill(8) }]) };
  const attempt = async (with_: typeof tools) => {
    for await (const _ of rebuild(owner, 'customers', with_, { restart: true }));
  };
  await expect(attempt(others)).rejects.toThrow('the master key test is not among ARCHIVE_MASTER_KEYS');
  await owner.query('delete from servicing.subject_keys');
  await expect(attempt(tools)).rejects.toThrow(/^the key of the subject of event .* is missing$/);
  expect(await owner.query('select first_name from servicing.customers')).toEqual([{ first_name: 'Ada' }]);
});
