import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { StreamEvent } from '../stream/envelope.ts';
import { dump, empty } from './projections/testing.ts';
import { event, type Folding, openFolding } from './testing.ts';

let folding: Folding;
let owner: Folding['owner'];
let fold: Folding['fold'];

beforeAll(async () => {
  folding = await openFolding();
  ({ owner, fold } = folding);
});
beforeEach(async () => {
  await empty(owner);
});
afterAll(() => folding.close());

const on = (n: number) => `2026-01-${String(n).padStart(2, '0')}T00:00:00Z`;

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, n) => permutations(items.toSpliced(n, 1)).map((others) => [item, ...others]));
}

/** What `look` sees, having seen that it is the same after each order of the events, one by one. */
async function afterAnyOrder<T>(events: readonly StreamEvent[], look: () => Promise<T>): Promise<T> {
  const [first = [], ...others] = permutations(events);
  for (const one of first) await fold(one);
  const seen = await look();
  const tables = await dump(owner);
  for (const order of others) {
    await empty(owner);
    for (const one of order) await fold(one);
    expect(await dump(owner)).toEqual(tables);
    expect(await look()).toEqual(seen);
  }
  return seen;
}
const rowOf = async (text: string, params: unknown[] = []) =>
  (await owner.query<Record<string, unknown>>(text, params))[0];

test('a closed account stays closed, and its creation that is told again changes nothing', async () => {
  const made = {
    account_id: 'A1',
    status: 'ACTIVE',
    loan_amount: 100,
    current_balance: 100,
    customer_id: 'C1',
  };
  const events = [
    event('account.created.v1', made, { at: on(1) }),
    event('account.updated.v1', { account_id: 'A1', status: 'ACTIVE', current_balance: 0 }, { at: on(4) }),
    event('account.closed.v1', { account_id: 'A1', closure_reason: 'WRITTEN_OFF' }, { at: on(3) }),
    event('account.created.v1', made, { at: on(9) }),
  ];
  const look = () => rowOf('select status, current_balance, closed_at from servicing.loan_accounts');
  expect(await afterAnyOrder(events, look)).toEqual({
    status: 'written_off',
    current_balance: '0.0000',
    closed_at: new Date(on(3)),
  });
});

test('events without any time end in one way, too', async () => {
  const tell = (current_balance: number) =>
    event('account.updated.v1', { account_id: 'A1', current_balance });
  const events = [
    tell(1),
    tell(2),
    tell(3),
    event('account.updated.v1', { account_id: 'A1', status: 'ACTIVE' }),
  ];
  const look = () => rowOf('select current_balance, status from servicing.loan_accounts');
  expect(await afterAnyOrder(events, look)).toEqual({ current_balance: '3.0000', status: 'active' });
});

test('a schedule and its instalments that come after what is told of them', async () => {
  const schedule = { account_id: 'A1', schedule_id: 'S1' };
  const events = [
    event('account.schedule.updated.v1', { ...schedule, n_payments: 2 }, { at: on(3) }),
    event(
      'account.schedule.updated.v1',
      { ...schedule, payments: [{ payment_number: 2, status: 'PAID' }] },
      { at: on(2) },
    ),
    event(
      'account.schedule.created.v1',
      { ...schedule, n_payments: 3, payments: [1, 2, 3].map((n) => ({ payment_number: n, amount: n })) },
      { at: on(1) },
    ),
  ];
  const look = () =>
    owner.query('select payment_number, amount, status from servicing.instalments order by 1');
  expect(await afterAnyOrder(events, look)).toEqual([
    { payment_number: 1, amount: '1.0000', status: null },
    { payment_number: 2, amount: '2.0000', status: 'paid' },
  ]);
});

test('of two customers who claim a bank’s key, the one of whom it was said last has it', async () => {
  const claim = (customer_id: string, n: number) =>
    event('customer.updated.v1', { customer_id, cif: 'K1' }, { at: on(n) });
  const events = [
    claim('C1', 2),
    claim('C2', 3),
    event(
      'customer.identity.linked.v1',
      { customer_id: 'C1', identifier_type: 'CIF', identifier_value: 'K1' },
      { at: on(4) },
    ),
  ];
  const look = () =>
    owner.query(`select target, kind from servicing.identifiers where value = 'K1' order by version desc`);
  expect(await afterAnyOrder(events, look)).toEqual([
    { target: 'customer:C1', kind: 'cif' },
    { target: 'customer:C2', kind: 'cif' },
  ]);
});

test('several borrowers of one loan are kept, whoever tells of them first', async () => {
  const tell = (customer_id: string, others: string[], n: number) =>
    event(
      'account.updated.v1',
      {
        account_id: 'A1',
        customer_id,
        borrowers: others.map((id) => ({ customer_id: id, role: 'guarantor' })),
      },
      { at: on(n) },
    );
  const look = () => owner.query('select customer_id, role from servicing.loan_borrowers order by 1');
  expect(
    await afterAnyOrder([tell('C1', ['C2'], 1), tell('C1', ['C3', 'C1'], 2), tell('C1', [], 3)], look),
  ).toEqual([
    { customer_id: 'C1', role: 'borrower' },
    { customer_id: 'C2', role: 'guarantor' },
    { customer_id: 'C3', role: 'guarantor' },
  ]);
});

describe('customers that were merged', () => {
  const merge = (from: string, into: string, n: number) =>
    event(
      'customer.identity.merged.v1',
      { surviving_customer_id: into, merged_customer_id: from },
      { at: on(n), id: `m-${from}-${into}` },
    );
  const all = ['C1', 'C2', 'C3', 'C4'];
  /** Of each customer the survivor, and all that are the same. */
  const look = () =>
    owner.query<{ id: string; survivor: string; same: string[] }>(
      `select id, servicing.surviving_customer(id) as survivor,
         array(select s from servicing.same_customers(id) as s order by s) as same
       from unnest($1::text[]) as id order by id`,
      [all],
    );
  const survivors = async (...events: StreamEvent[]) =>
    Object.fromEntries((await afterAnyOrder(events, look)).map(({ id, survivor }) => [id, survivor]));

  test.each([
    [
      'in a chain',
      [
        ['C1', 'C2', 1],
        ['C2', 'C3', 2],
        ['C3', 'C4', 3],
      ],
      'C4 C4 C4 C4',
    ],
    [
      'into one that was merged before',
      [
        ['C2', 'C3', 1],
        ['C1', 'C2', 2],
      ],
      'C3 C3 C3 C4',
    ],
    [
      'in a circle of two',
      [
        ['C1', 'C2', 1],
        ['C2', 'C1', 2],
      ],
      'C1 C1 C3 C4',
    ],
    [
      'in a circle of two of one time',
      [
        ['C1', 'C2', 1],
        ['C2', 'C1', 1],
      ],
      'C1 C1 C3 C4',
    ],
    [
      'in a circle of three',
      [
        ['C1', 'C2', 2],
        ['C2', 'C3', 1],
        ['C3', 'C1', 3],
      ],
      'C2 C2 C2 C4',
    ],
    [
      'into a circle',
      [
        ['C4', 'C1', 9],
        ['C1', 'C2', 1],
        ['C2', 'C1', 2],
      ],
      'C1 C1 C3 C1',
    ],
    [
      'into two others, the later one counts',
      [
        ['C1', 'C2', 1],
        ['C1', 'C3', 2],
      ],
      'C3 C2 C3 C4',
    ],
  ] as [string, [string, string, number][], string][])('%s', async (_how, merges, expected) => {
    const seen = await survivors(...merges.map(([from, into, n]) => merge(from, into, n)));
    expect(all.map((id) => seen[id]).join(' ')).toBe(expected);
  });

  test('are the same customers whichever of them is asked for', async () => {
    const seen = await afterAnyOrder(
      [merge('C1', 'C2', 1), merge('C2', 'C3', 2), merge('C3', 'C1', 3)],
      look,
    );
    expect(seen.map(({ same }) => same.join(' '))).toEqual(['C1 C2 C3', 'C1 C2 C3', 'C1 C2 C3', 'C4']);
  });

  test('are found though nobody has told of them but the merge', async () => {
    await fold(
      event('customer.identity.merged.v1', { customer_id: 'C1', merged_customer_ids: ['C2', 'C3'] }),
    );
    expect((await look()).map(({ survivor }) => survivor).join(' ')).toBe('C1 C1 C1 C4');
  });
});
