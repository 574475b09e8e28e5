// The close of a day on a real database: exact accruals with their remainders, lateness, and that it can be killed,
// repeated and doubled.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestLedger, type TestDatabase } from '../../test/database.ts';
import { closeDay, closeSome } from './close-day.ts';
import type { Command } from './command.ts';
import { postCommands } from './post-commands.ts';
import { readOverdue } from './read-aging.ts';
import { readBalances, readRecord } from './read-loan.ts';
import { readTransfers } from './read-transfers.ts';
import { setSchedule } from './set-schedule.ts';
import { terms } from './testing.ts';
import { verifyLedger } from './verify.ts';

let database: TestDatabase;
let db: Pool;
const now = new Date('2026-11-29T08:00:00Z');
const today = '2026-11-29';

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
async function post(...commands: object[]): Promise<void> {
  const said = commands.map((command) => ({ key: `k${++keys}`, actor: 'user:ada', ...command }) as Command);
  for (const answer of await postCommands(db, said, { now, today, orders: {} }))
    if (!answer.ok) throw new Error(JSON.stringify(answer.refusal));
}
async function opened(loanId: string, rate: number, due: string[] = []): Promise<void> {
  await post({ loanId, kind: 'open', terms: { ...terms, interestRateBps: rate }, disbursed: true });
  const instalments = due.map((dueOn, n) => ({ number: n + 1, dueOn, amount: '500.00' }));
  const plan = { loanId, scheduleId: 'S', currency: 'AUD', madeAt: now, actor: 'job:opening', instalments };
  await setSchedule(db, plan, now);
}
const close = (day: string) => closeDay(db, day, () => now, { atOnce: 3 });
const interest = async (loanId: string) => (await readBalances(db, loanId))?.balances.interest;
async function events(loanId: string, topic: string): Promise<Record<string, unknown>[]> {
  const rows = await db.query<{ payload: string }>(
    'select payload from outbox.messages where key = $1 and topic = $2 order by position',
    [loanId, topic],
  );
  return rows.map(({ payload }) => JSON.parse(payload));
}
/** Minor units that `days` days of a principal come to, none of them rounded. */
const exact = (principal: bigint, rate: bigint, days: bigint) => (principal * rate * days) / 3_650_000n;

test('interest accrues to the cent, whichever days are closed, and backdated payments are put right', async () => {
  await Promise.all(['daily', 'rarely', 'backdated'].map((loanId) => opened(loanId, 1_000)));
  await opened('none', 0);
  const days = Array.from({ length: 31 }, (_, n) => `2026-10-${String(n + 1).padStart(2, '0')}`);
  for (const day of days.slice(0, 10)) await close(day);
  // 100000 x 1000 / 3650000 = 27.397 a day.
  expect(await interest('daily')).toBe(exact(100_000n, 1_000n, 10n));
  expect(await interest('none')).toBe(0n);
  await post({ loanId: 'backdated', kind: 'repayment', amount: '660.00', effectiveOn: '2026-10-03' });
  const paid = await readBalances(db, 'backdated');
  expect(paid?.balances.principal).toBe(100_000n - (66_000n - 16_000n - exact(100_000n, 1_000n, 10n)));
  const left = paid?.balances.principal as bigint;
  // What had accrued is paid; the days since the 3rd were counted with too much, which later days make up for.
  expect(await interest('backdated')).toBe(0n);
  for (const day of days.slice(10)) await close(day);
  const all = (100_000n * 2n + left * 29n) * 1_000n;
  expect(await interest('backdated')).toBe(all / 3_650_000n - exact(100_000n, 1_000n, 10n));
  expect(await interest('daily')).toBe(exact(100_000n, 1_000n, 31n));
  const accruals = await readTransfers(db, 'daily', { limit: 100, kinds: ['accrual'] });
  expect(accruals?.total).toBe(31);
  expect(accruals?.transfers[0]).toMatchObject({ effectiveOn: '2026-10-31', actor: 'job:close-of-day' });
  expect((await readBalances(db, 'daily', '2026-10-10'))?.balances.interest).toBe(
    exact(100_000n, 1_000n, 10n),
  );
  expect(await events('daily', 'ledger.balance.changed.v1')).toContainEqual({
    account_id: 'daily',
    version: 33,
    total_outstanding: '1168.49',
    currency: 'AUD',
  });

  // A payment that is not effective yet at the end of the day does not count for it.
  await opened('ahead', 1_000);
  await post({ loanId: 'ahead', kind: 'repayment', amount: '1160.00', effectiveOn: '2026-11-20' });
  await close('2026-11-10');
  expect(await interest('ahead')).toBe(exact(100_000n, 1_000n, 41n));
  await close('2026-11-28');
  expect(await interest('ahead')).toBe(exact(100_000n, 1_000n, 50n));
  expect(await interest('daily')).toBe(exact(100_000n, 1_000n, 59n));
});

test('loans are as late as their oldest instalment that is not paid, and what has changed is told', async () => {
  await Promise.all(['L1', 'L2', 'L3'].map((loanId) => opened(loanId, 0, ['2026-10-10', '2026-11-10'])));
  await post({ loanId: 'L2', kind: 'repayment', amount: '600.00' });
  await post({ loanId: 'L3', kind: 'write_off', reason: 'r', approvedBy: 'user:bo' });
  await close('2026-11-25');
  await close('2026-11-26');
  const page = await readOverdue(db, { limit: 1 });
  expect(page).toMatchObject({
    loans: [{ loanId: 'L1', daysPastDue: 47, bucket: '31-60', overdue: 100_000n }],
    total: 2,
    next: { daysPastDue: 47, loanId: 'L1' },
  });
  expect(await readOverdue(db, { limit: 5, after: page.next })).toMatchObject({
    loans: [{ loanId: 'L2', daysPastDue: 16, bucket: '1-30', overdue: 40_000n }],
    next: undefined,
  });
  expect((await readOverdue(db, { limit: 5, bucket: '1-30', maxDays: 15 })).total).toBe(0);
  const told = { account_id: 'L2', currency: 'AUD', arrears_amount: '400.00', bucket: '1-30' };
  expect(await events('L2', 'loan.aging.updated.v1')).toEqual([
    { ...told, days_past_due: 15 },
    { ...told, days_past_due: 16 },
  ]);
  expect(await events('L2', 'account.updated.v1')).toEqual([
    { account_id: 'L2', currency: 'AUD', current_balance: '560.00' },
  ]);
  expect(await events('L3', 'loan.aging.updated.v1')).toEqual([]);
  await post({ loanId: 'L2', kind: 'repayment', amount: '560.00' });
  await close('2026-11-27');
  expect((await events('L2', 'loan.aging.updated.v1')).at(-1)).toMatchObject({
    days_past_due: 0,
    bucket: 'current',
  });
  const [aging] = await db.query(
    'select previous_bucket, bucket_since::text from ledger.agings where loan_id = $1',
    ['L2'],
  );
  expect(aging).toEqual({ previous_bucket: '1-30', bucket_since: '2026-11-27' });
});

test('a close that is killed goes on where it was, two at once share it, and repeated it does nothing', async () => {
  await Promise.all(Array.from({ length: 10 }, (_, n) => opened(`M${n}`, 500, ['2026-11-01'])));
  const day = '2026-11-29';
  expect(await closeSome(db, day, now, 4)).toMatchObject({ loans: 4, done: false });
  // Killed after its work and before its commit.
  const killed = db.transaction(async (tx) => {
    await closeSome({ ...db, query: tx.query, transaction: (work) => work(tx) }, day, now, 4);
    throw new Error('killed');
  });
  await expect(killed).rejects.toThrow('killed');
  const paying = post(
    ...Array.from({ length: 10 }, (_, n) => ({ loanId: `M${n}`, kind: 'repayment', amount: '1.00' })),
  );
  const [one, other] = await Promise.all([close(day), close(day)]);
  await paying;
  const [{ count }] = (await db.query<{ count: number }>('select count(*)::int from ledger.positions')) as [
    { count: number },
  ];
  expect(4 + one.loans + other.loans).toBe(count);
  const closeAnew = async () => {
    await db.query(`update ledger.closes set reached = '', finished_at = null where day = $1`, [day]);
    return close(day);
  };
  // What was paid after its loan was closed.
  await closeAnew();
  const kept = async () =>
    db.query(
      `select loan_id, version, (select count(*) from outbox.messages) from ledger.positions order by 1`,
    );
  const before = await kept();
  expect(await close(day)).toEqual({ loans: 0, accruals: 0, agingsChanged: 0, done: true });
  expect(await closeAnew()).toMatchObject({ loans: count, accruals: 0, agingsChanged: 0 });
  // Nor does an earlier day that is closed late.
  expect(await close('2026-11-05')).toMatchObject({ accruals: 0, agingsChanged: 0 });
  expect(await kept()).toEqual(before);
  expect((await readRecord(db, 'M5'))?.position.closedOn).toBe(day);
});

test('the command, killed halfway, leaves whole steps; the rest is closed by the next, each loan once', async () => {
  const day = '2026-11-23';
  const ids = Array.from({ length: 5_050 }, (_, n) => `K${String(n).padStart(4, '0')}`);
  const loan = { kind: 'open', terms: { ...terms, interestRateBps: 1_000 }, disbursed: true };
  for (let n = 0; n < ids.length; n += 500)
    await post(...ids.slice(n, n + 500).map((loanId) => ({ ...loan, loanId })));
  const its = (state: string) =>
    db.query(`select from pg_stat_activity where application_name = 'recoup-close-day' and ${state}`);
  let kill = () => {};
  await db
    .transaction(async (tx) => {
      // The second step waits for it.
      await tx.query(`select from ledger.positions where loan_id = 'K5040' for update`);
      const command = spawn(process.execPath, ['dev/close-day.ts', '--date', day], {
        env: { ...process.env, LEDGER_DATABASE_URL: database.urlFor('recoup_ledger') },
        stdio: 'ignore',
      });
      kill = () => command.kill('SIGKILL');
      const exited = once(command, 'exit');
      await expect.poll(() => its(`wait_event_type = 'Lock'`), { timeout: 30_000 }).toHaveLength(1);
      kill();
      expect(await exited).toEqual([null, 'SIGKILL']);
    })
    .finally(kill);
  // PostgreSQL finds out that it is gone when it has got the loan's lock.
  await expect.poll(() => its('true'), { timeout: 30_000 }).toEqual([]);
  expect(await db.query('select reached from ledger.closes where day = $1', [day])).toEqual([
    { reached: 'K4999' },
  ]);
  expect((await close(day)).accruals).toBe(50);
  const accrued = `select loan_id from ledger.transfers where kind = 'accrual' and loan_id like 'K%' order by loan_id`;
  expect(await db.query(accrued)).toEqual(ids.map((loan_id) => ({ loan_id })));
}, 120_000);
