// Posting on a real database: what each command posts and answers, what it refuses, and what a repetition is answered.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestLedger, type TestDatabase } from '../../test/database.ts';
import type { Command } from './command.ts';
import { postCommands } from './post-commands.ts';
import type { Answer, PostingRules } from './posting.ts';
import { totalOf } from './posting.ts';
import { readAging } from './read-aging.ts';
import { readBalances, readRecord } from './read-loan.ts';
import { readSchedule } from './read-schedule.ts';
import { readStatement } from './read-statement.ts';
import { findTransfer, readTransfers, transfersAfter } from './read-transfers.ts';
import { setSchedule } from './set-schedule.ts';
import { terms } from './testing.ts';
import { verifyLedger } from './verify.ts';

let database: TestDatabase;
let db: Pool;
const rules: PostingRules = { now: new Date('2026-11-29T08:00:00Z'), today: '2026-11-29', orders: {} };

beforeAll(async () => {
  database = await createTestLedger();
  db = openPool({
    url: database.urlFor('recoup_ledger'),
    min: 0,
    max: 4,
    applicationName: 'test',
    timeoutMs: 20_000,
  });
});
afterAll(async () => {
  expect((await verifyLedger(db, { checked: () => {} })).broken).toBeUndefined();
  await db.close();
  await database.drop();
});

let keys = 0;
type Said = Command extends infer C
  ? C extends Command
    ? Omit<C, 'key' | 'actor' | 'loanId'>
    : never
  : never;
const commandOf = (loanId: string, said: Said, key = `k${++keys}`): Command =>
  ({ loanId, key, actor: 'user:ada', ...said }) as Command;
async function ask(command: Command): Promise<Answer> {
  const [answer] = await postCommands(db, [command], rules);
  return answer as Answer;
}
async function posted(command: Command) {
  const answer = await ask(command);
  if (!answer.ok) throw new Error(JSON.stringify(answer.refusal));
  return answer.value;
}
const code = (answer: Answer) => (answer.ok ? 'posted' : answer.refusal.code);

/** 1,000.00 and a fee of 160.00 in four instalments, of which two are overdue. */
async function opened(loanId: string, { disbursed = true, rate = 0 } = {}): Promise<void> {
  await posted(commandOf(loanId, { kind: 'open', terms: { ...terms, interestRateBps: rate }, disbursed }));
  await setSchedule(
    db,
    {
      loanId,
      scheduleId: `S-${loanId}`,
      currency: 'AUD',
      madeAt: new Date('2026-10-01T00:00:00Z'),
      actor: 'job:opening',
      instalments: ['2026-11-01', '2026-11-15', '2026-12-01', '2026-12-15'].map((dueOn, n) => ({
        number: n + 1,
        dueOn,
        amount: '290.00',
      })),
    },
    rules.now,
  );
}
const owed = async (loanId: string) => {
  const found = await readBalances(db, loanId);
  return found && totalOf(found.balances);
};
const paidOf = async (loanId: string) =>
  (await readSchedule(db, { loanId }, rules.today))?.instalments.map(({ paid }) => Number(paid));

test('a loan opens once, disbursed with its fee, and a repetition is answered alike', async () => {
  const open = commandOf('A1', { kind: 'open', terms, disbursed: true });
  const first = await posted(open);
  expect(first.transfers.map(({ kind, version, entries }) => [kind, version, entries.income])).toEqual([
    ['disbursement', 1, 0n],
    ['establishment_fee', 2, -16_000n],
  ]);
  expect(first).toMatchObject({ version: 2, replayed: false, overpayment: 0n });
  expect(await posted(open)).toEqual({ ...first, replayed: true });
  expect(await posted({ ...open, key: 'other' })).toMatchObject({ replayed: true, version: 2 });
  expect(
    code(
      await ask(commandOf('A1', { kind: 'open', terms: { ...terms, principal: '1.00' }, disbursed: true })),
    ),
  ).toBe('loan_is_open_otherwise');
  expect(code(await ask({ ...open, loanId: 'A2' }))).toBe('key_reused');
  expect(await readRecord(db, 'A1')).toMatchObject({
    position: { version: 2, disbursed: 100_000n },
    lastTransferId: first.transfers[1]?.id,
  });
});

test('a loan that is not disbursed owes nothing, takes money into suspense, and is disbursed with what was agreed', async () => {
  await opened('B1', { disbursed: false });
  expect(code(await ask(commandOf('B1', { kind: 'late_fee', amount: '5', daysPastDue: 3 })))).toBe(
    'not_disbursed',
  );
  const early = await posted(commandOf('B1', { kind: 'repayment', amount: '10' }));
  expect(early).toMatchObject({ overpayment: 1_000n });
  const payout = { kind: 'disbursement', bankReference: 'X1', method: 'npp', notes: '' } as const;
  expect(code(await ask(commandOf('B1', { ...payout, amount: '999.99' })))).toBe('amount_differs_from_terms');
  const done = await posted(commandOf('B1', { ...payout, amount: '1000.00' }));
  expect(done.transfers).toMatchObject([
    { kind: 'disbursement', reference: 'X1', facts: { method: 'npp' } },
    { kind: 'establishment_fee' },
  ]);
  expect(code(await ask(commandOf('B1', { ...payout, amount: '1000.00' })))).toBe('already_disbursed');
  expect(await owed('B1')).toBe(116_000n);
  // The payout came back: all that was posted with it is taken back, and it can go out again.
  const back = await posted(
    commandOf('B1', { kind: 'reversal', transferId: done.transfers[0]?.id as string, reason: 'returned' }),
  );
  expect(back.transfers.map(({ reverses }) => reverses?.kind)).toEqual(['disbursement', 'establishment_fee']);
  expect(await owed('B1')).toBe(0n);
  expect(code(await ask(commandOf('B1', { ...payout, amount: '1000.00' })))).toBe('posted');
});

test('a repayment pays charges, fees and principal, and the oldest instalments', async () => {
  await opened('C1');
  await posted(commandOf('C1', { kind: 'late_fee', amount: '20.00', daysPastDue: 14 }));
  const pay = commandOf('C1', {
    kind: 'repayment',
    amount: '400.00',
    paymentId: 'p1',
    effectiveOn: '2026-11-20',
  });
  const { transfers, overpayment } = await posted(pay);
  expect(overpayment).toBe(0n);
  expect(transfers).toMatchObject([
    {
      kind: 'repayment',
      effectiveOn: '2026-11-20',
      paymentId: 'p1',
      entries: { cash: 40_000n, fees: -18_000n, principal: -22_000n, interest: 0n, suspense: 0n },
      after: { principal: 78_000n, fees: 0n },
      charges: -2_000n,
      scheduled: 38_000n,
      instalments: [
        { number: 1, applied: 29_000n, remaining: 0n, dueOn: '2026-11-01', amount: 29_000n },
        { number: 2, applied: 9_000n, remaining: 20_000n },
      ],
    },
  ]);
  expect(await posted(pay)).toEqual({ ...(await posted(pay)), replayed: true });
  expect(code(await ask({ ...pay, kind: 'repayment', amount: '400.01' } as Command))).toBe('key_reused');
  expect(code(await ask({ ...pay, actor: 'somebody else' }))).toBe('posted');
  expect(await paidOf('C1')).toEqual([29_000, 9_000, 0, 0]);
  expect(await readAging(db, 'C1', rules.today)).toMatchObject({
    daysPastDue: 14,
    bucket: '1-30',
    overdue: 20_000n,
    oldest: { number: 2 },
  });
  const rest = await posted(commandOf('C1', { kind: 'repayment', amount: '800.00' }));
  expect(rest).toMatchObject({
    overpayment: 2_000n,
    transfers: [{ warning: expect.stringContaining('suspense') }],
  });
  expect(await owed('C1')).toBe(0n);
});

test('an instalment that is meant is paid first', async () => {
  await opened('D1');
  await posted(commandOf('D1', { kind: 'repayment', amount: '300.00', targetInstalment: 3 }));
  expect(await paidOf('D1')).toEqual([1_000, 0, 29_000, 0]);
  const again = await posted(commandOf('D1', { kind: 'repayment', amount: '10.00', targetInstalment: 3 }));
  expect(again.transfers[0]?.warning).toContain('paid already');
  expect(code(await ask(commandOf('D1', { kind: 'repayment', amount: '1', targetInstalment: 9 })))).toBe(
    'unknown_instalment',
  );
  const schedule = await readSchedule(db, { scheduleId: 'S-D1' }, rules.today);
  expect(schedule?.instalments.map(({ status }) => status)).toEqual([
    'overdue',
    'overdue',
    'paid',
    'pending',
  ]);
  expect(schedule?.instalments[2]?.transferIds).toHaveLength(1);
});

test('parts of a repayment are taken back from its end, at most all of it', async () => {
  await opened('E1');
  await posted(commandOf('E1', { kind: 'late_fee', amount: '20.00', daysPastDue: 14 }));
  const before = await readBalances(db, 'E1');
  const { transfers } = await posted(commandOf('E1', { kind: 'repayment', amount: '1300.00' }));
  const transferId = transfers[0]?.id as string;
  const reverse = (amount?: string) =>
    commandOf('E1', { kind: 'reversal', transferId, amount, reason: 'dishonour' });
  const first = await posted(reverse('130.00'));
  // 120.00 were in suspense.
  expect(first.transfers[0]).toMatchObject({
    entries: { cash: -13_000n, suspense: 12_000n, principal: 1_000n, fees: 0n },
    instalments: [{ number: 4, applied: -1_000n, remaining: 1_000n }],
    reverses: { id: transferId, kind: 'repayment', before: 0n },
  });
  expect(await paidOf('E1')).toEqual([29_000, 29_000, 29_000, 28_000]);
  expect(code(await ask(reverse('1170.01')))).toBe('exceeds_reversible');
  await posted(reverse());
  expect(code(await ask(reverse()))).toBe('exceeds_reversible');
  expect((await readBalances(db, 'E1'))?.balances).toEqual(before?.balances);
  expect((await readRecord(db, 'E1'))?.position).toMatchObject({ chargesOpen: 2_000n, scheduledPaid: 0n });
  expect(await paidOf('E1')).toEqual([0, 0, 0, 0]);
});

test('what is written off can be recovered, and a write-off can be taken back unless it was', async () => {
  await opened('F1');
  expect(
    code(await ask(commandOf('F1', { kind: 'write_off', amount: '1160.01', reason: 'r', approvedBy: 'b' }))),
  ).toBe('exceeds_owed');
  const part = await posted(
    commandOf('F1', { kind: 'write_off', amount: '200.00', reason: 'r', approvedBy: 'user:bo' }),
  );
  expect(part.transfers[0]?.entries).toMatchObject({
    fees: -16_000n,
    principal: -4_000n,
    write_off: 20_000n,
  });
  await posted(commandOf('F1', { kind: 'write_off', reason: 'r', approvedBy: 'user:bo' }));
  expect(await owed('F1')).toBe(0n);
  expect(code(await ask(commandOf('F1', { kind: 'write_off', reason: 'r', approvedBy: 'b' })))).toBe(
    'nothing_owed',
  );
  expect((await readSchedule(db, { loanId: 'F1' }, rules.today))?.instalments[0]?.status).toBe('waived');
  const paid = await posted(commandOf('F1', { kind: 'repayment', amount: '1200.00' }));
  expect(paid).toMatchObject({
    overpayment: 4_000n,
    transfers: [{ entries: { cash: 120_000n, recovery: -116_000n, suspense: -4_000n }, scheduled: 0n }],
  });
  const undo = commandOf('F1', {
    kind: 'reversal',
    transferId: part.transfers[0]?.id as string,
    reason: 'by mistake',
  });
  expect(code(await ask(undo))).toBe('not_reversible');
});

test('fees are waived up to what is owed, charges first, and a paid fee is not taken back', async () => {
  await opened('G1');
  const fee = await posted(commandOf('G1', { kind: 'dishonour_fee', amount: '15.00', reference: 'bank' }));
  const waive = (amount: string) =>
    commandOf('G1', { kind: 'fee_waiver', amount, reason: 'r', approvedBy: 'b' });
  expect(code(await ask(waive('175.01')))).toBe('exceeds_fees');
  expect((await posted(waive('5.00'))).transfers[0]).toMatchObject({ charges: -500n });
  const undo = commandOf('G1', { kind: 'reversal', transferId: fee.transfers[0]?.id as string, reason: 'r' });
  expect(code(await ask(undo))).toBe('exceeds_fees');
  // Money against income, and nothing below zero.
  const adjust = (principal: string, fees: string) =>
    commandOf('G1', { kind: 'adjustment', principal, fees, reason: 'r', approvedBy: 'b' });
  expect(code(await ask(adjust('-1000.01', '0')))).toBe('exceeds_owed');
  expect(code(await ask(adjust('0', '-170.01')))).toBe('exceeds_fees');
  expect(code(await ask(adjust('0', '0')))).toBe('invalid_amount');
  expect((await posted(adjust('-100.00', '2.50'))).transfers[0]?.entries).toMatchObject({
    principal: -10_000n,
    fees: 250n,
    income: 9_750n,
  });
});

describe('what cannot be posted', () => {
  beforeAll(() => opened('H1'));
  const repay = (more: object): Command =>
    commandOf('H1', { kind: 'repayment', amount: '1.00', ...more } as Said);
  test.each<[string, () => Command, string]>([
    ['an unknown loan', () => ({ ...repay({}), loanId: 'nobody' }), 'unknown_loan'],
    ['no key', () => ({ ...repay({}), key: '' }), 'key_missing'],
    ['a key without end', () => ({ ...repay({}), key: 'k'.repeat(301) }), 'invalid_text'],
    ['a character that is none', () => repay({ notes: 'a\0b' }), 'invalid_text'],
    ['too many decimals', () => repay({ amount: '1.001' }), 'invalid_amount'],
    ['nothing', () => repay({ amount: '0' }), 'invalid_amount'],
    ['less than nothing', () => repay({ amount: '-1' }), 'invalid_amount'],
    ['no number', () => repay({ amount: 'NaN' }), 'invalid_amount'],
    ['another currency', () => repay({ currency: 'EUR' }), 'currency_mismatch'],
    ['tomorrow', () => repay({ effectiveOn: '2026-11-30' }), 'invalid_date'],
    ['30 February', () => repay({ effectiveOn: '2026-02-30' }), 'invalid_date'],
    [
      'the reversal of nothing',
      () => commandOf('H1', { kind: 'reversal', transferId: 'x', reason: 'r' }),
      'unknown_transfer',
    ],
  ])('%s is refused, and binds no key', async (_, command, refusal) => {
    const version = (await readRecord(db, 'H1'))?.position.version;
    expect(code(await ask(command()))).toBe(refusal);
    expect((await readRecord(db, 'H1'))?.position.version).toBe(version);
  });

  test('beside it others of the batch are posted, in order, and doubles of a batch once', async () => {
    const good = repay({});
    const answers = await postCommands(
      db,
      [
        good,
        repay({ amount: '-1' }),
        good,
        { ...good, actor: 'else' },
        { ...good, kind: 'repayment', amount: '2' } as Command,
      ],
      rules,
    );
    expect(answers.map(code)).toEqual(['posted', 'invalid_amount', 'posted', 'posted', 'key_reused']);
    expect(answers.map((answer) => answer.ok && answer.value.replayed)).toEqual([
      false,
      false,
      true,
      true,
      false,
    ]);
  });
});

test('what came before is read as of its day, and money from before the loan counts from its first day', async () => {
  await opened('I1');
  await posted(commandOf('I1', { kind: 'repayment', amount: '100.00', effectiveOn: '2026-10-15' }));
  const early = await posted(
    commandOf('I1', { kind: 'repayment', amount: '1.00', effectiveOn: '2026-01-01' }),
  );
  expect(early.transfers[0]).toMatchObject({
    effectiveOn: '2026-10-01',
    warning: expect.stringContaining('opened'),
  });
  const asOf = async (day: string) => totalOf((await readBalances(db, 'I1', day))!.balances);
  expect([await asOf('2026-09-30'), await asOf('2026-10-14'), await asOf('2026-10-15')]).toEqual([
    0n,
    115_900n,
    105_900n,
  ]);
  const statement = await readStatement(db, 'I1', '2026-10-02', '2026-10-31');
  expect(statement).toMatchObject({ opening: 115_900n, closing: 105_900n, received: 10_000n, charged: 0n });
  expect(statement?.lines.map(({ change, balance }) => [change, balance])).toEqual([[-10_000n, 105_900n]]);
  const list = await readTransfers(db, 'I1', { limit: 1, kinds: ['repayment'] });
  expect(list).toMatchObject({ total: 2, transfers: [{ version: 4 }] });
  expect(await readTransfers(db, 'nobody', { limit: 1 })).toBeUndefined();
  expect((await transfersAfter(db, 'I1', 2, 10)).map(({ version }) => version)).toEqual([3, 4]);
  expect(await findTransfer(db, early.transfers[0]!.id)).toEqual(early.transfers[0]);
});

test('a schedule may come before its loan, and of two the one that was made later holds', async () => {
  const plan = (scheduleId: string, day: string, amounts: string[]) => ({
    loanId: 'J1',
    scheduleId,
    currency: 'AUD',
    madeAt: new Date(`${day}T00:00:00Z`),
    actor: 'job:opening',
    instalments: amounts.map((amount, n) => ({ number: n + 1, dueOn: `2026-12-${10 + n}`, amount })),
  });
  const holds = async (one: ReturnType<typeof plan>) => {
    const answer = await setSchedule(db, one, rules.now);
    return answer.ok && answer.value.holds;
  };
  expect(await holds(plan('S1', '2026-10-02', ['580', '580']))).toBe(true);
  expect(await readSchedule(db, { loanId: 'J1' }, rules.today)).toBeUndefined();
  await posted(commandOf('J1', { kind: 'open', terms, disbursed: true }));
  await posted(commandOf('J1', { kind: 'repayment', amount: '600.00' }));
  expect(await paidOf('J1')).toEqual([58_000, 2_000]);
  expect(await holds(plan('S0', '2026-10-01', ['1160']))).toBe(false);
  expect(await holds(plan('S2', '2026-10-03', ['500', '300', '360']))).toBe(true);
  expect(await paidOf('J1')).toEqual([50_000, 10_000, 0]);
  expect(await holds(plan('S2', '2026-10-03', ['500', '300', '360']))).toBe(true);
  expect(await holds(plan('S2', '2026-10-04', ['400', '760']))).toBe(true);
  expect(await paidOf('J1')).toEqual([40_000, 20_000]);
  const answer = await setSchedule(db, { ...plan('S3', '2026-10-05', ['1']), currency: 'EUR' }, rules.now);
  expect(answer).toMatchObject({ ok: false, refusal: { code: 'currency_mismatch' } });
});

test('the database itself refuses to change a transfer, and takes none that is not balanced', async () => {
  await opened('K1');
  const owner = openPool({ url: database.url, min: 0, max: 1, applicationName: 'test', timeoutMs: 20_000 });
  try {
    for (const statement of [
      `update ledger.transfers set reason = 'x'`,
      'delete from ledger.transfers',
      'truncate ledger.transfers cascade',
      `update ledger.loans set principal = 1`,
    ])
      for (const who of [db, owner])
        await expect(who.query(statement)).rejects.toMatchObject({ sqlState: '42501' });
    await expect(
      owner.query(
        `insert into ledger.transfers select (t).* from (select jsonb_populate_record(null::ledger.transfers, to_jsonb(t) ||
           '{"version": 99, "income": 1, "id": "00000000-0000-0000-0000-000000000001"}') as t from ledger.transfers t where loan_id = 'K1' and version = 1) as t`,
      ),
    ).rejects.toMatchObject({ sqlState: '23514' });
  } finally {
    await owner.close();
  }
});

test('each change of a loan is told by its latest version', async () => {
  await opened('L1');
  await postCommands(
    db,
    ['1.00', '2.00'].map((amount) => commandOf('L1', { kind: 'repayment', amount })),
    rules,
  );
  const rows = await db.query<{ topic: string; payload: string }>(
    `select topic, payload from outbox.messages where destination = 'inbox' and key = 'L1' order by position`,
  );
  expect(rows.map(({ topic }) => topic)).toEqual(['ledger.balance.changed.v1', 'ledger.balance.changed.v1']);
  expect(JSON.parse(rows[1]?.payload ?? '')).toEqual({
    account_id: 'L1',
    version: 4,
    total_outstanding: '1157.00',
    currency: 'AUD',
  });
});
