import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { recordPayments } from '../payments/record-payments.ts';
import { reversePayments } from '../payments/reverse-payments.ts';
import { newPayment, newReversal } from '../payments/testing.ts';
import { useProjections } from '../read/testing.ts';
import { event } from '../servicing/testing.ts';
import type { Change } from './change.ts';
import { Feed } from './feed.ts';
import { type News, readChanges } from './read-changes.ts';
import type { Snapshot } from './snapshot.ts';

const world = useProjections();
const moment = async () => (await readChanges(world.api, undefined)).upTo;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** One at which no other file's transaction runs: of what ran then it would be unknown whether it has been trimmed. */
const quietMoment = async ({ but = 0 } = {}) => {
  for (;;) {
    const present = await moment();
    if (present.running.size === but) return present;
    await pause(5);
  }
};
const since = async (told: Snapshot) => (await readChanges(world.api, told)).changes;
const without = (changes: Change[] | undefined) => changes?.map(({ transaction: _, ...change }) => change);

test('a payment, its reversal, a loan and a request for approval are told by name, in what commits with them', async () => {
  const told = await moment();
  const payment = newPayment({ loanAccountNumber: 'LN-9' });
  await recordPayments(world.owner, [payment]);
  await recordPayments(world.owner, [payment]);
  await reversePayments(world.owner, [newReversal(payment)], { keepRefused: false });
  const paid = { kind: 'payments', ids: [payment.referenceNumber], accounts: ['LN-9'] };
  expect(without(await since(told))).toEqual([paid, paid]);

  const later = await moment();
  await world.fold(
    event('account.created.v1', { account_id: 'A1', account_number: 'N1', customer_id: 'C1' }),
    event('writeoff.requested.v1', { request_id: 'W1', account_id: 'A1', amount: '9' }),
  );
  const changes = without(await since(later)) ?? [];
  expect(changes).toContainEqual({ kind: 'accounts', ids: ['A1'], accounts: ['N1'] });
  expect(changes).toContainEqual({ kind: 'approvals', ids: ['W1'], accounts: ['A1'] });
  expect(JSON.stringify(changes)).not.toContain('C1');
});

test('a statement that changes very many is told as such', async () => {
  const told = await moment();
  await recordPayments(
    world.owner,
    Array.from({ length: 101 }, () => newPayment()),
  );
  expect(without(await since(told))).toEqual([{ kind: 'payments', ids: null, accounts: null }]);
});

test('what commits late and out of order is told once, while others read on and one transaction never ends', async () => {
  const started = await moment();
  const feed = new Feed();
  feed.begin(started);
  const wanted: string[] = [];
  const got: string[] = [];
  let told = started;
  const take = ({ changes, upTo }: Pick<News, 'changes' | 'upTo'>) => {
    got.push(...(changes ?? []).flatMap(({ ids }) => ids ?? []));
    told = upTo;
  };
  const writer = async (n: number) => {
    for (let i = 0; i < 15; i++) {
      const payment = newPayment();
      await world.owner.transaction(async (tx) => {
        await recordPayments(tx, [payment]);
        await pause((n * 7 + i * 13) % 40);
      });
      wanted.push(payment.referenceNumber);
    }
  };
  /** Reads on while they write, and once more. */
  const readWhile = async (writing: Promise<unknown>) => {
    let isWriting = true;
    const written = writing.finally(() => {
      isWriting = false;
    });
    while (isWriting) {
      const { changes, upTo } = await readChanges(world.api, feed.tip);
      feed.add(upTo, changes ?? []);
      // By what is kept, and now and then, as after a reconnection, by oneself.
      take(got.length % 3 === 0 ? await readChanges(world.api, told) : (feed.after(told) as News));
      await pause(5);
    }
    await written;
    take(await readChanges(world.api, told));
  };
  let endOpen: (() => void) | undefined;
  const held = newPayment();
  const open = world.owner.transaction(async (tx) => {
    await recordPayments(tx, [held]);
    await new Promise<void>((resolve) => {
      endOpen = resolve;
    });
  });
  await readWhile(writer(1));
  // Nobody has waited for the one that is open.
  expect(got.toSorted()).toEqual(wanted.toSorted());
  endOpen?.();
  await open;
  await readWhile(Promise.all([writer(2), writer(3)]));
  expect(got.toSorted()).toEqual([...wanted, held.referenceNumber].toSorted());
});

test('whoever was away for longer than changes are kept, or comes from elsewhere, has to read anew', async () => {
  const told = await quietMoment();
  await recordPayments(world.owner, [newPayment()]);
  const after = await quietMoment();
  await world.owner.query(`update live.changes set at = now() - interval '59 minutes'`);
  const trim = () => world.owner.query<{ n: number }>(`select live.remove_old_changes('1 hour', 1000) as n`);
  expect(await trim()).toEqual([{ n: 0 }]);
  expect(await since(told)).toHaveLength(1);
  await world.owner.query(`update live.changes set at = now() - interval '61 minutes'`);
  expect((await trim())[0]?.n).toBeGreaterThan(0);
  expect(await since(told)).toBeUndefined();
  expect(await since(after)).toEqual([]);
  // One that runs for longer than that makes nobody read anew while it runs.
  let end: (() => void) | undefined;
  const begun = world.owner.transaction(async (tx) => {
    await recordPayments(tx, [newPayment()]);
    await new Promise<void>((resolve) => {
      end = resolve;
    });
  });
  await expect.poll(() => end).toBeDefined();
  await recordPayments(world.owner, [newPayment()]);
  const during = await quietMoment({ but: 1 });
  await world.owner.query(`update live.changes set at = now() - interval '61 minutes'`);
  await trim();
  expect(await since(during)).toEqual([]);
  end?.();
  await begun;
  expect(await since(during)).toBeUndefined();
  const elsewhere = { text: '900000000:900000000:', xmax: 900_000_000n, running: new Set<bigint>() };
  expect(await since(elsewhere)).toBeUndefined();
});

test('what came with a copy of another database is neither told nor makes anybody read anew for ever', async () => {
  const told = await quietMoment();
  await world.owner.query(
    `insert into live.changes (transaction_id, kind, ids, accounts, at)
     values ('900000000', 'payments', '{X}', '{}', now() - interval '2 hours')`,
  );
  expect(await since(told)).toEqual([]);
  await world.owner.query(`select live.remove_old_changes('1 hour', 1000)`);
  expect(await since(told)).toEqual([]);
  await world.owner.query(`update live.horizon set trimmed = '900000000'`);
  expect(await since(told)).toEqual([]);
});

test('more than a thousand at once are not told one by one', async () => {
  const told = await moment();
  await world.owner.query(
    `insert into live.changes (kind, ids, accounts) select 'payments', array['${randomUUID()}'], '{}' from generate_series(1, 1001)`,
  );
  expect(await since(told)).toBeUndefined();
});
