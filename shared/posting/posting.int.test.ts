// Recorded payments on their way to a ledger that keeps its contract: each is posted once, whatever goes wrong on the way,
// and is in the end where it belongs with what it still is.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { seeded } from '../../test/seeded.ts';
import type { Database, TransactionalDatabase } from '../database.ts';
import { formatAmount } from '../money.ts';
import { type NewPayment, paymentIdOf } from '../payments/payment.ts';
import { recordPayments } from '../payments/record-payments.ts';
import { reversePayments } from '../payments/reverse-payments.ts';
import { newPayment, newReversal } from '../payments/testing.ts';
import type { PaymentToPost } from './ledger.ts';
import { matchPosting } from './match-posting.ts';
import { movePayment } from './move-payment.ts';
import { postAgain } from './post-again.ts';
import { postDue } from './post-due.ts';
import { readPostingQueue } from './queue.ts';
import { memoryLedger, settle as settled, takeWaiting } from './testing.ts';
import { tryAgain } from './try-again.ts';

let database: TestDatabase;
let owner: Pool;
let db: Pool;
let api: Pool;
let its: ReturnType<typeof memoryLedger>;

const connect = (url: string) =>
  openPool({ url, min: 0, max: 6, applicationName: 'test', timeoutMs: 10_000 });

beforeAll(async () => {
  database = await createTestDatabase();
  owner = connect(database.url);
  db = connect(database.urlFor('recoup_posting'));
  api = connect(database.urlFor('recoup_api'));
});
beforeEach(async () => {
  its = memoryLedger();
  await owner.query('truncate outbox.messages, posting.postings, posting.moves, servicing.identifiers');
  for (const id of ['A', 'B', 'C']) await openLoan(id);
});
afterEach(async () => {
  // Whatever a test has done, the ledger was never asked for two things under one key.
  const reused = await owner.query(`select from posting.postings where held_because = 'key_reused'`);
  expect(reused).toEqual([]);
});
afterAll(async () => {
  await Promise.all([owner.close(), db.close(), api.close()]);
  await database.drop();
});

/** Known to us and to the ledger; its account number is N and its id. */
async function openLoan(id: string, number = `N${id}`) {
  its.loans.add(id);
  await owner.query(
    `insert into servicing.identifiers (target, kind, value, version)
     values ('account:' || $1, 'account_id', $1, ''), ('account:' || $1, 'account_number', $2, '1')`,
    [id, number],
  );
}

const paid = (amountMinor: bigint, over: Partial<NewPayment> = {}) =>
  newPayment({ amount: { amountMinor, currency: 'EUR' }, loanAccountNumber: 'NA', ...over });
const record = async (payment: NewPayment) => {
  await recordPayments(owner, [payment]);
  return paymentIdOf(payment);
};
const reverse = (payment: NewPayment, amountMinor?: bigint) =>
  reversePayments(
    owner,
    [
      newReversal(payment, {
        amount: amountMinor === undefined ? null : { amountMinor, currency: 'EUR' },
      }),
    ],
    { keepRefused: true },
  );

const take = (over: TransactionalDatabase = db) => takeWaiting(over);
const post = (over: TransactionalDatabase = db) => postDue(over, its.ledger, 100);
/** Whatever waits for a time need not wait. */
const timePasses = () => owner.query(`update posting.postings set next_try_at = now() - interval '1 second'`);
const settle = () => settled(db, owner, its.ledger);

interface Row {
  id: string;
  kind: string;
  state: string;
  account: string | null;
  amount: string;
  because: string | null;
}
const postingsOf = (paymentId: string) =>
  owner.query<Row>(
    `select id, kind, state, account_id as account, round(amount, 2)::text as amount, held_because as because
     from posting.postings where payment_id = $1 order by position`,
    [paymentId],
  );
const shown = async (paymentId: string) =>
  (await postingsOf(paymentId)).map((p) => `${p.kind} ${p.amount} ${p.account ?? '-'} ${p.state}`);

const euros = (amountMinor: bigint) => formatAmount({ amountMinor, currency: 'EUR' });
const move = (paymentId: string, to: Record<string, bigint>) =>
  movePayment(
    api,
    {
      paymentId,
      to: Object.entries(to).map(([accountId, amount]) => ({ accountId, amount: euros(amount) })),
      reason: 'misapplied',
      actor: 'user:ada',
    },
    undefined,
  );

/** The work is done, and its transaction does not commit: what a kill at that moment looks like from the database. */
const crashing = (real: TransactionalDatabase): TransactionalDatabase => ({
  ...real,
  transaction: <T>(work: (tx: Database) => Promise<T>) =>
    real.transaction<T>(async (tx) => {
      await work(tx);
      throw new Error('killed');
    }),
});

describe('a recorded payment', () => {
  test('is posted to its loan, as of the day it was paid, under the id of its event', async () => {
    const payment = paid(10_050n, { paidOn: '2026-11-20' });
    const id = await record(payment);
    await settle();
    expect(await shown(id)).toEqual(['payment 100.50 A posted']);
    const [told] = await owner.query<{ event_id: string }>(
      'select event_id from payment_service.payments where id = $1',
      [id],
    );
    expect(its.transfers.get(told?.event_id as string)).toMatchObject({
      loanId: 'A',
      paymentId: id,
      effectiveOn: '2026-11-20',
      amountMinor: 10_050n,
    });
  });

  test('may name its loan by its id, and of two loans with one number the one that was given it last is meant', async () => {
    await owner.query(
      `insert into servicing.identifiers (target, kind, value, version) values ('account:B', 'account_number', 'NA', '2')`,
    );
    const byId = await record(paid(100n, { loanAccountNumber: 'A' }));
    const byNumber = await record(paid(200n, { loanAccountNumber: 'NA' }));
    await settle();
    expect([its.netOf(byId), its.netOf(byNumber)]).toEqual([{ A: 100n }, { B: 200n }]);
  });

  test('told twice is posted once', async () => {
    const id = await record(paid(100n));
    const copies = await owner.query('select * from outbox.messages');
    await settle();
    await owner.query(
      `insert into outbox.messages (destination, topic, key, event_id, payload)
       select destination, topic, key, event_id, payload
       from json_to_recordset($1) as m (destination text, topic text, key text, event_id uuid, payload text)`,
      [JSON.stringify(copies)],
    );
    await settle();
    expect(its.netOf(id)).toEqual({ A: 100n });
    expect(await postingsOf(id)).toHaveLength(1);
  });

  test('that the ledger took before we were killed is not posted again', async () => {
    const id = await record(paid(100n));
    await take();
    await expect(post(crashing(db))).rejects.toThrow('killed');
    expect(its.netOf(id)).toEqual({ A: 100n });
    expect(await shown(id)).toEqual(['payment 1.00 A pending']);
    await post();
    expect(await shown(id)).toEqual(['payment 1.00 A posted']);
    expect(its.state).toMatchObject({ posted: 1, replayed: 1 });
  });

  test('waits while the ledger is away, uses up no attempt, and is posted at once when it is back', async () => {
    const id = await record(paid(100n));
    its.state.mood = 'away';
    await take();
    for (let n = 0; n < 3; n++) await expect(post()).rejects.toThrow('away');
    const [row] = await owner.query('select state, attempts from posting.postings');
    expect(row).toEqual({ state: 'pending', attempts: 0 });
    expect(await readPostingQueue(db)).toMatchObject({ pending: 1, held: 0 });
    its.state.mood = 'well';
    expect(await post()).toMatchObject({ posted: 1 });
    expect(its.netOf(id)).toEqual({ A: 100n });
  });

  test('that nothing is known of does not hold up the others', async () => {
    const ids = await Promise.all(Array.from({ length: 10 }, () => record(paid(100n))));
    await take();
    its.state.mood = 'loses_some';
    expect(await post()).toMatchObject({ posted: 5, undecided: 5 });
    // They are not due yet.
    expect(await post()).toMatchObject({ posted: 0, undecided: 0 });
    its.state.mood = 'well';
    await timePasses();
    expect(await post()).toMatchObject({ posted: 5 });
    expect(ids.map(its.netOf)).toEqual(ids.map(() => ({ A: 100n })));
  });

  test('is asked for by one process at a time', async () => {
    for (let n = 0; n < 20; n++) await record(paid(100n));
    await take();
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    const slow = { ...its.ledger, post: (p: PaymentToPost) => opened.then(() => its.ledger.post(p)) };
    const first = postDue(db, slow, 100);
    await expect.poll(() => post()).toMatchObject({ posted: 0, standingBy: true });
    open();
    expect(await first).toMatchObject({ posted: 20 });
    expect(its.state).toMatchObject({ asked: 20, posted: 20 });
  });
});

describe('a payment for a loan that nobody knows', () => {
  test('is held, and posted when the loan appears', async () => {
    const id = await record(paid(100n, { loanAccountNumber: 'NEW' }));
    await settle();
    expect(await postingsOf(id)).toMatchObject([{ state: 'held', because: 'unknown_loan', account: null }]);
    expect(its.state.asked).toBe(0);
    // Known to us, not yet to the ledger.
    await openLoan('D', 'NEW');
    its.loans.delete('D');
    await settle();
    expect(await postingsOf(id)).toMatchObject([{ state: 'held', because: 'unknown_loan', account: 'D' }]);
    its.loans.add('D');
    await settle();
    expect(its.netOf(id)).toEqual({ D: 100n });
  });

  test('is looked at less and less often', async () => {
    await record(paid(100n, { loanAccountNumber: 'NEW' }));
    await take();
    const waits: number[] = [];
    for (let n = 0; n < 13; n++) {
      const [row] = await owner.query<{ wait: number }>(
        `update posting.postings set next_try_at = now() - interval '1 ms'
         returning round(extract(epoch from (select next_try_at - now() from posting.postings)))::int as wait`,
      );
      waits.push(row?.wait as number);
      await tryAgain(db, 10);
    }
    expect(waits.slice(1, 5)).toEqual([2, 4, 8, 16]);
    expect(waits.at(-1)).toBe(900);
  });

  test('is posted to the loan that staff say, once', async () => {
    const id = await record(paid(100n, { loanAccountNumber: 'TYPO' }));
    await settle();
    const [held] = await postingsOf(id);
    const match = (accountId: string, key?: string) =>
      matchPosting(
        api,
        { id: held?.id as string, accountId, reason: 'a typo', actor: 'user:ada' },
        key === undefined ? undefined : { actor: 'user:ada', key, request: accountId },
      );
    expect(await match('NOBODY')).toEqual({ ok: false, refusal: { kind: 'unknown_loan' } });
    expect(await match('NB', 'k')).toEqual({ ok: true, value: { repeated: false } });
    expect(await match('NB', 'k')).toEqual({ ok: true, value: { repeated: true } });
    expect(await match('NC', 'k')).toEqual({ ok: false, refusal: { kind: 'key_reused' } });
    expect(await match('NC')).toEqual({ ok: false, refusal: { kind: 'not_held', state: 'pending' } });
    await settle();
    expect(its.netOf(id)).toEqual({ B: 100n });
    expect(await match('NC')).toEqual({ ok: false, refusal: { kind: 'not_held', state: 'posted' } });
    // Its own number appears too late to take it back.
    await openLoan('E', 'TYPO');
    await settle();
    expect(its.netOf(id)).toEqual({ B: 100n });
  });
});

describe('a reversal', () => {
  test('of a posted payment is posted, in parts to the cent', async () => {
    const payment = paid(10_000n);
    const id = await record(payment);
    await settle();
    await reverse(payment, 3_333n);
    await settle();
    expect(its.netOf(id)).toEqual({ A: 6_667n });
    await reverse(payment);
    await settle();
    expect(its.netOf(id)).toEqual({});
    expect(await shown(id)).toEqual([
      'payment 100.00 A posted',
      'reversal 33.33 A posted',
      'reversal 66.67 A posted',
    ]);
  });

  test('that comes before its payment is posted follows it', async () => {
    const payment = paid(10_000n);
    const id = await record(payment);
    await reverse(payment, 4_000n);
    await take();
    expect(await shown(id)).toEqual(['payment 100.00 A pending', 'reversal 40.00 A waiting']);
    await settle();
    expect(its.netOf(id)).toEqual({ A: 6_000n });
  });

  test('of a held payment settles it: neither is ever posted', async () => {
    const payment = paid(10_000n, { loanAccountNumber: 'NEW' });
    const id = await record(payment);
    await settle();
    await reverse(payment, 4_000n);
    await settle();
    expect(await shown(id)).toEqual(['payment 100.00 - held', 'reversal 40.00 - waiting']);
    await reverse(payment);
    await settle();
    expect(await shown(id)).toEqual([
      'payment 100.00 - void',
      'reversal 40.00 - void',
      'reversal 60.00 - void',
    ]);
    await openLoan('D', 'NEW');
    await settle();
    expect(its.state.asked).toBe(0);
  });

  test('of a part of a held payment is posted behind it once its loan is known', async () => {
    const payment = paid(10_000n, { loanAccountNumber: 'NEW' });
    const id = await record(payment);
    await reverse(payment, 4_000n);
    await settle();
    await openLoan('D', 'NEW');
    await settle();
    expect(its.netOf(id)).toEqual({ D: 6_000n });
  });

  test('of a payment that the ledger may have taken waits until that is known', async () => {
    const payment = paid(10_000n);
    const id = await record(payment);
    await take();
    its.state.mood = 'loses_answers';
    await expect(post()).rejects.toThrow('lost');
    await reverse(payment);
    await take();
    expect(await shown(id)).toEqual(['payment 100.00 A pending', 'reversal 100.00 A waiting']);
    its.state.mood = 'well';
    await settle();
    expect(its.netOf(id)).toEqual({});
    expect(its.state.posted).toBe(2);
  });

  test('of a payment that the ledger then refuses leaves nothing to be posted', async () => {
    const payment = paid(10_000n);
    const id = await record(payment);
    await reverse(payment);
    await take();
    its.loans.delete('A');
    await settle();
    expect(await shown(id)).toEqual(['payment 100.00 A void', 'reversal 100.00 A void']);
  });

  test('of a payment from before there were postings brings the payment with it', async () => {
    const payment = paid(10_000n);
    const id = await record(payment);
    await reverse(payment, 1_000n);
    await owner.query('delete from outbox.messages');
    await reverse(payment, 500n);
    await settle();
    expect(await shown(id)).toEqual([
      'payment 100.00 A posted',
      'reversal 10.00 A posted',
      'reversal 5.00 A posted',
    ]);
    expect(its.netOf(id)).toEqual({ A: 8_500n });
  });
});

test('payments from before there were postings are posted by the range, each once', async () => {
  const payments = Array.from({ length: 7 }, (_, n) => paid(BigInt(100 + n)));
  const ids = await Promise.all(payments.map(record));
  await reverse(payments[0] as NewPayment, 50n);
  await owner.query('delete from outbox.messages');
  const later = await record(paid(900n));
  const range = { from: new Date('2026-11-01T00:00:00Z'), until: new Date('2026-12-01T00:00:00Z') };
  const told = async (dryRun: boolean, limit = 2) => {
    let total = 0;
    for await (const soFar of postAgain(owner, range, { limit, dryRun })) total = soFar;
    return total;
  };
  // Those of other tests in this file have none either.
  await owner.query('delete from payment_service.payments where not (id = any ($1::uuid[]))', [
    [...ids, later],
  ]);
  await settle();
  expect(await told(true)).toBe(7);
  expect(await told(false)).toBe(7);
  expect(await told(false, 500)).toBe(7);
  await settle();
  expect(await told(false)).toBe(0);
  expect(ids.map(its.netOf)).toEqual([50n, 101n, 102n, 103n, 104n, 105n, 106n].map((A) => ({ A })));
  expect(its.netOf(later)).toEqual({ A: 900n });
});

describe('a payment moved by staff', () => {
  test('is taken from where it was, and posted where it belongs, as of the same day', async () => {
    const id = await record(paid(10_000n, { paidOn: '2026-11-20' }));
    await settle();
    expect(await move(id, { NB: 10_000n })).toMatchObject({ ok: true });
    expect(await shown(id)).toEqual([
      'payment 100.00 A posted',
      'reversal 100.00 A pending',
      'payment 100.00 B waiting',
    ]);
    await settle();
    expect(its.netOf(id)).toEqual({ B: 10_000n });
    expect(new Set([...its.transfers.values()].map(({ effectiveOn }) => effectiveOn))).toEqual(
      new Set(['2026-11-20']),
    );
  });

  test('may be split and joined again; what stays where it is is not touched', async () => {
    const payment = paid(10_000n);
    const id = await record(payment);
    await settle();
    await move(id, { A: 2_500n, B: 4_000n, C: 3_500n });
    await settle();
    expect(its.netOf(id)).toEqual({ A: 2_500n, B: 4_000n, C: 3_500n });
    await reverse(payment, 1_000n);
    await settle();
    expect(its.netOf(id)).toEqual({ A: 2_500n, B: 4_000n, C: 2_500n });
    await move(id, { A: 2_500n, C: 6_500n });
    await settle();
    expect(its.netOf(id)).toEqual({ A: 2_500n, C: 6_500n });
    const before = its.state.asked;
    expect(await move(id, { C: 6_500n, A: 2_500n })).toEqual({
      ok: true,
      value: { moveId: null, repeated: false },
    });
    await settle();
    expect(its.state.asked).toBe(before);
  });

  test('is posted nowhere else while it has not been taken from where it was', async () => {
    const id = await record(paid(10_000n));
    await settle();
    await move(id, { B: 10_000n });
    its.loans.delete('A');
    await settle();
    expect(its.netOf(id)).toEqual({ A: 10_000n });
    expect((await postingsOf(id)).map(({ state }) => state)).toEqual([
      'posted',
      expect.stringMatching(/held|pending/),
      'waiting',
    ]);
    its.loans.add('A');
    await settle();
    expect(its.netOf(id)).toEqual({ B: 10_000n });
  });

  test('goes nowhere while something of it is undecided, when the sum differs, or to nobody', async () => {
    const payment = paid(10_000n);
    const id = await record(payment);
    expect(await move(id, { B: 10_000n })).toEqual({ ok: false, refusal: { kind: 'unknown_payment' } });
    await take();
    expect(await move(id, { B: 10_000n })).toEqual({ ok: false, refusal: { kind: 'unsettled' } });
    await settle();
    expect(await move(id, { B: 9_999n })).toEqual({
      ok: false,
      refusal: { kind: 'sum_differs', posted: '100.00', currency: 'EUR' },
    });
    expect(await move(id, { A: 1n, NOBODY: 9_999n })).toEqual({
      ok: false,
      refusal: { kind: 'unknown_loan', index: 1 },
    });
    await reverse(payment);
    await settle();
    expect(await move(id, { B: 10_000n })).toEqual({ ok: false, refusal: { kind: 'nothing_posted' } });
  });

  test('by two at once is moved by one, and a reversal at the same moment takes its part from wherever it is', async () => {
    for (let n = 0; n < 10; n++) {
      const payment = paid(10_000n);
      const id = await record(payment);
      await settle();
      await reverse(payment, 1_000n);
      const outcomes = await Promise.all([
        move(id, { B: 10_000n }),
        move(id, { C: 10_000n }),
        take(),
        move(id, { B: 5_000n, C: 5_000n }),
      ]);
      expect(outcomes.filter((outcome) => 'ok' in outcome && outcome.ok).length).toBeLessThanOrEqual(1);
      await settle();
      const net = Object.values(its.netOf(id));
      expect(net.reduce((sum, amount) => sum + amount, 0n)).toBe(9_000n);
    }
  });
});

test('the database keeps more from being reversed than was posted, and a payment from being posted twice', async () => {
  const id = await record(paid(10_000n));
  await settle();
  const tooMuch = `update posting.postings set reversed = amount + 1 where payment_id = $1`;
  await expect(owner.query(tooMuch, [id])).rejects.toMatchObject({ sqlState: '23514' });
  const again = `insert into posting.postings (id, kind, payment_id, reference_number, loan_account_number, account_id, amount,
      currency, effective_on, state, actor)
    select gen_random_uuid(), kind, payment_id, reference_number, loan_account_number, account_id, amount, currency,
      effective_on, 'pending', actor from posting.postings where payment_id = $1`;
  await expect(owner.query(again, [id])).rejects.toMatchObject({ sqlState: '23505' });
  await expect(db.query('update posting.postings set amount = 1')).rejects.toMatchObject({
    sqlState: '42501',
  });
  await expect(db.query('delete from posting.postings')).rejects.toMatchObject({ sqlState: '42501' });
});

test.each([1, 2, 3])(
  'random payments, reversals, matches and moves among outages and kills end where they belong (seed %d)',
  async (seed) => {
    const random = seeded(seed).next;
    const upTo = (n: number) => Math.floor(random() * n);
    const oneOf = <T>(all: readonly T[]) => all[upTo(all.length)] as T;
    const payments: Array<{ payment: NewPayment; id: string; leftMinor: bigint }> = [];
    const moods = ['well', 'well', 'well', 'away', 'loses_answers', 'loses_some'] as const;

    const deeds: Array<() => Promise<unknown>> = [
      async () => {
        const amountMinor = BigInt(1 + upTo(20_000));
        const payment = paid(amountMinor, { loanAccountNumber: oneOf(['NA', 'NB', 'C', 'LATE', 'LATER']) });
        payments.push({ payment, id: await record(payment), leftMinor: amountMinor });
      },
      async () => {
        const one = oneOf(payments);
        if (!one || one.leftMinor === 0n) return;
        const part = random() < 0.3 ? one.leftMinor : BigInt(1 + upTo(Number(one.leftMinor)));
        await reverse(one.payment, part);
        one.leftMinor -= part;
      },
      () => take(random() < 0.3 ? crashing(db) : db),
      () => Promise.all([take(), post()]),
      () => post(random() < 0.3 ? crashing(db) : db),
      async () => {
        await timePasses();
        await tryAgain(db, 10);
      },
      async () => {
        its.state.mood = oneOf(moods);
      },
      async () => {
        const [held] = await owner.query<{ id: string }>(
          `select id from posting.postings where state = 'held' and kind = 'payment' offset $1 limit 1`,
          [upTo(4)],
        );
        if (held) {
          await matchPosting(api, { id: held.id, accountId: 'B', reason: 'r', actor: 'user:ada' }, undefined);
        }
      },
      async () => {
        const one = oneOf(payments);
        if (!one || one.leftMinor < 2n) return;
        const first = BigInt(1 + upTo(Number(one.leftMinor) - 1));
        await move(one.id, { [oneOf(['A', 'B'])]: first, C: one.leftMinor - first });
      },
    ];
    for (let n = 0; n < 250; n++) {
      await Promise.allSettled([oneOf(deeds)(), random() < 0.3 ? oneOf(deeds)() : undefined]);
    }
    its.state.mood = 'well';
    await openLoan('D', 'LATE');
    await openLoan('E', 'LATER');
    await settle();

    for (const { id, leftMinor } of payments) {
      const net = its.netOf(id);
      expect(Object.values(net).reduce((sum, amount) => sum + amount, 0n)).toBe(leftMinor);
      const rows = await owner.query<{ account: string; amount: string }>(
        `select account_id as account, (sum(amount - reversed) * 100)::bigint::text as amount from posting.postings
         where payment_id = $1 and kind = 'payment' and state = 'posted' group by 1 having sum(amount - reversed) > 0`,
        [id],
      );
      expect(Object.fromEntries(rows.map(({ account, amount }) => [account, BigInt(amount)]))).toEqual(net);
    }
    const undecided = await owner.query(
      `select * from posting.postings where state not in ('posted', 'void')`,
    );
    expect(undecided).toEqual([]);
    expect(its.state.replayed).toBeGreaterThan(0);
  },
  120_000,
);
