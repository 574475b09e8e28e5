import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Database } from '../database.ts';
import type { Folded, Incoming } from './fold-batch.ts';
import { anyDelivery, anyEvents, dump, empty, inBatches, sorted } from './projections/testing.ts';
import { event, type Folding, incoming, openFolding, tools } from './testing.ts';

let folding: Folding;
let owner: Folding['owner'];
let db: Folding['db'];
let fold: Folding['fold'];
let foldIn: Folding['foldIn'];
let foldRead: Folding['foldRead'];
const connections = 4;

beforeAll(async () => {
  folding = await openFolding(connections);
  ({ owner, db, fold, foldIn, foldRead } = folding);
});
beforeEach(async () => {
  await empty(owner);
});
afterAll(() => folding.close());

/** Each connection takes the next batch when it is done with one. */
async function foldTogether(batches: readonly Incoming[][]) {
  const waiting = [...batches];
  const outcomes: Array<[id: string, outcome: Folded]> = [];
  const connection = async () => {
    for (let batch = waiting.shift(); batch; batch = waiting.shift()) {
      const some = batch;
      const answers = await foldRead(some);
      for (const [n, answer] of answers.entries()) outcomes.push([some[n]?.read.event.id ?? '', answer]);
    }
  };
  await Promise.all(Array.from({ length: connections }, connection));
  return outcomes;
}

/** How many transactions wait for an aggregate's turn, and how many for another's event id. */
const waiting = async () => {
  const [row] = await owner.query<{ advisory: number; transaction: number }>(
    `select count(*) filter (where locktype = 'advisory')::int as advisory,
       count(*) filter (where locktype = 'transactionid')::int as transaction
     from pg_locks join pg_stat_activity using (pid) where not granted and datname = current_database()`,
  );
  return row;
};

/** Does `second` while the transaction that did `first` is still open; answers what was seen of the waiting meanwhile. */
async function meanwhile<T>(
  first: (tx: Database) => Promise<unknown>,
  second: () => Promise<T>,
  fate: 'commit' | 'fail',
) {
  let answer: Promise<T> | undefined;
  let seen: Awaited<ReturnType<typeof waiting>>;
  const open = db.transaction(async (tx) => {
    await first(tx);
    answer = second();
    answer.catch(() => {});
    const deadline = Date.now() + 10_000;
    do {
      await sleep(20);
      seen = await waiting();
    } while (seen?.advisory === 0 && seen.transaction === 0 && Date.now() < deadline);
    if (fate === 'fail') throw new Error('rolled back');
  });
  await open.catch((error: Error) => expect(error.message).toBe('rolled back'));
  return { seen, answer: await answer };
}

const balance = (id: string, account_id: string, current_balance: number) =>
  event('account.updated.v1', { account_id, current_balance }, { id, at: '2026-01-01' });

test('batches that are folded at once lose nothing, and fold each event once', {
  timeout: 60_000,
}, async () => {
  for (let round = 0; round < 6; round++) {
    const events = fc.sample(anyEvents(150), { numRuns: 1, seed: round })[0] ?? [];
    const batch = sorted(events).map((one) => incoming(one));
    await empty(owner);
    for (const some of inBatches(batch, [50])) await foldRead(some);
    const oneByOne = await dump(owner);

    await empty(owner);
    const deliveries = fc.sample(anyDelivery(batch), { numRuns: 1, seed: round })[0] ?? [];
    const outcomes = await foldTogether(deliveries);
    expect(await dump(owner)).toEqual(oneByOne);
    const once = outcomes.filter(([, outcome]) => outcome === 'folded').map(([id]) => id);
    expect(once.sort()).toEqual(events.map(({ id }) => id).sort());
    expect(outcomes.filter(([, outcome]) => outcome === 'conflict')).toEqual([]);
  }
});

test('whole batches in opposite orders at once wait for each other and do not deadlock', {
  timeout: 60_000,
}, async () => {
  const accounts = Array.from({ length: 40 }, (_, n) => `A${n}`);
  for (let round = 0; round < 5; round++) {
    await empty(owner);
    const batches = Array.from({ length: 8 }, (_, n) => {
      const batch = accounts.map((id) =>
        incoming(
          event(
            'account.created.v1',
            { account_id: id, customer_id: `C${id}`, loan_amount: 10 },
            // Half of them are the same events.
            { id: n % 2 ? `same-${id}` : `${n}-${id}` },
          ),
        ),
      );
      return n % 3 ? batch : batch.toReversed();
    });
    const outcomes = await foldTogether(batches);
    expect(outcomes.filter(([, outcome]) => outcome === 'folded')).toHaveLength(5 * accounts.length);
    expect(await owner.query('select count(*)::int as n from servicing.loan_accounts')).toEqual([{ n: 40 }]);
  }
});

test('an aggregate is folded by one transaction at a time: the next waits for the end of the first', async () => {
  const { seen, answer } = await meanwhile(
    (tx) =>
      foldIn(tx, event('account.updated.v1', { account_id: 'A1', status: 'ACTIVE' }, { at: '2026-01-02' })),
    () => fold(balance('e-2', 'A1', 5)),
    'commit',
  );
  expect(seen).toEqual({ advisory: 1, transaction: 0 });
  expect(answer).toEqual(['folded']);
  // Neither has written over what the other said.
  expect(await owner.query('select status, current_balance from servicing.loan_accounts')).toEqual([
    { status: 'active', current_balance: '5.0000' },
  ]);
});

test('an aggregate that an event only tells of beside its own waits as well', async () => {
  const { seen } = await meanwhile(
    (tx) => foldIn(tx, event('customer.updated.v1', { customer_id: 'C2', first_name: 'Ada' })),
    () => fold(event('customer.identity.merged.v1', { customer_id: 'C1', merged_customer_id: 'C2' })),
    'commit',
  );
  expect(seen).toEqual({ advisory: 1, transaction: 0 });
  expect(
    await owner.query(`select first_name, merged_into from servicing.customers where customer_id = 'C2'`),
  ).toEqual([{ first_name: 'Ada', merged_into: 'C1' }]);
});

test('other aggregates do not wait', async () => {
  await db.transaction(async (tx) => {
    await foldIn(tx, balance('e-1', 'A1', 1));
    expect(await fold(balance('e-2', 'A2', 2))).toEqual(['folded']);
  });
  expect(await owner.query('select account_id from servicing.loan_accounts order by 1')).toHaveLength(2);
});

test('an event in two transactions at once is folded once', async () => {
  const one = balance('e-1', 'A1', 1);
  const { seen, answer } = await meanwhile(
    (tx) => foldIn(tx, one),
    () => fold(one),
    'commit',
  );
  expect(seen?.advisory).toBe(1);
  expect(answer).toEqual(['duplicate']);
  expect(await owner.query('select count(*)::int as n from servicing.events')).toEqual([{ n: 1 }]);
});

test('an event whose first transaction fails is folded by the second', async () => {
  const one = balance('e-1', 'A1', 1);
  const { answer } = await meanwhile(
    (tx) => foldIn(tx, one),
    () => fold(one),
    'fail',
  );
  expect(answer).toEqual(['folded']);
  expect(await owner.query('select current_balance from servicing.loan_accounts')).toHaveLength(1);
});

test('another event under the same id, about another aggregate, waits and is a conflict', async () => {
  const { seen, answer } = await meanwhile(
    (tx) => foldIn(tx, balance('e-1', 'A1', 1)),
    () => fold(balance('e-1', 'A2', 1)),
    'commit',
  );
  expect(seen).toEqual({ advisory: 0, transaction: 1 });
  expect(answer).toEqual(['conflict']);
  expect(await owner.query('select account_id from servicing.loan_accounts')).toEqual([{ account_id: 'A1' }]);
});

test('two that make the key of one subject use the same', async () => {
  const seal = (id: string, account_id: string) =>
    event('account.updated.v1', { account_id, customer_id: 'C1' }, { id });
  const { answer } = await meanwhile(
    (tx) => foldIn(tx, seal('e-1', 'A1')),
    () => fold(seal('e-2', 'A2')),
    'commit',
  );
  expect(answer).toEqual(['folded']);
  const [key, ...others] = await owner.query<{ master: string; wrapped: Uint8Array }>(
    'select master, wrapped from servicing.subject_keys',
  );
  expect(others).toEqual([]);
  const sealed = await owner.query<{ event_id: string; sealed: Uint8Array }>(
    'select event_id, sealed from servicing.events',
  );
  expect(sealed).toHaveLength(2);
  for (const one of sealed)
    expect(
      tools.vault.open(key ?? { master: '', wrapped: new Uint8Array() }, one.sealed, one.event_id),
    ).toContain('"customer_id":"C1"');
});
