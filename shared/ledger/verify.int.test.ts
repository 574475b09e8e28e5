// Sealing under what may happen to it, and what verifying finds when somebody with every right changes the ledger.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestLedger, type TestDatabase } from '../../test/database.ts';
import { type Head, parseHead, written } from '../audit/chain.ts';
import { currencies, currencyExponent } from '../money.ts';
import type { Command } from './command.ts';
import { postCommands } from './post-commands.ts';
import { sealTransfers } from './seal-transfers.ts';
import { setSchedule } from './set-schedule.ts';
import { terms } from './testing.ts';
import { type Verified, verifyLedger } from './verify.ts';

let database: TestDatabase;
let owner: Pool;
let db: Pool;
const now = new Date('2026-11-29T08:00:00Z');

beforeAll(async () => {
  database = await createTestLedger();
  const open = (url: string) => openPool({ url, min: 0, max: 4, applicationName: 'test', timeoutMs: 20_000 });
  owner = open(database.url);
  db = open(database.urlFor('recoup_ledger'));
});
afterAll(async () => {
  await Promise.all([owner.close(), db.close()]);
  await database.drop();
});

/** Past every trigger and constraint that is one, as only a superuser can. */
async function behindOurBack(...statements: string[]): Promise<void> {
  await owner.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    for (const statement of statements) await tx.query(statement);
  });
}

let keys = 0;
async function post(...commands: object[]): Promise<void> {
  const said = commands.map((command) => ({ key: `k${++keys}`, actor: 'user:ada', ...command }) as Command);
  for (const answer of await postCommands(db, said, { now, today: '2026-11-29', orders: {} }))
    if (!answer.ok) throw new Error(JSON.stringify(answer.refusal));
}
const open = (loanId: string) => ({ loanId, kind: 'open', terms, disbursed: true });
const repay = (loanId: string) => ({
  loanId,
  kind: 'repayment',
  amount: '10.00',
  reference: 'R1',
  reason: 'r',
});
const verified = (expected?: Head): Promise<Verified> => verifyLedger(db, { expected, checked: () => {} });
const broken = async () => (await verified()).broken;
/** Other sessions of the cluster have transactions, too. */
const patiently = { timeout: 15_000 };
async function sealAll(): Promise<void> {
  const waiting = async () => {
    await sealTransfers(db, 1_000);
    return db.query('select from ledger.unsealed');
  };
  await expect.poll(waiting, patiently).toEqual([]);
}

beforeEach(() =>
  behindOurBack(
    'truncate ledger.transfers, ledger.loans, ledger.positions, ledger.seals, ledger.unsealed, ledger.instalments, ledger.schedules, ledger.agings',
  ),
);

test('an empty ledger is whole', async () => {
  expect(await sealTransfers(db, 10)).toBe(0);
  expect(await verified()).toEqual({ head: undefined, unsealed: 0, broken: undefined });
});

test('a seal is over what one statement has added, and a long transaction is waited for', async () => {
  await post(open('A'), open('B'));
  const blocker = Promise.withResolvers<void>();
  const isWriting = Promise.withResolvers<void>();
  const long = owner.transaction(async (tx) => {
    await tx.query('select pg_current_xact_id()');
    isWriting.resolve();
    await blocker.promise;
  });
  await isWriting.promise;
  await post(repay('A'));
  await post(repay('B'), repay('A'));
  await expect.poll(() => sealTransfers(db, 10), patiently).toBe(1);
  expect(await sealTransfers(db, 10)).toBe(0);
  expect(await verified()).toMatchObject({ head: { position: 1 }, unsealed: 3, broken: undefined });
  blocker.resolve();
  await long;
  await sealAll();
  expect(await verified()).toMatchObject({ head: { position: 3 }, unsealed: 0, broken: undefined });
});

test('two sealers beside those who post make one chain without a gap', async () => {
  await post(open('A'), open('B'), open('C'));
  let posting = true;
  const sealer = async () => {
    while (posting) await sealTransfers(db, 3);
  };
  const sealers = [sealer(), sealer()];
  await Promise.all(
    ['A', 'B', 'C'].map(async (loanId) => {
      for (let n = 0; n < 15; n++) await post(repay(loanId));
    }),
  );
  posting = false;
  await Promise.all(sealers);
  await sealAll();
  expect(await verified()).toMatchObject({ head: { position: 46 }, unsealed: 0, broken: undefined });
});

describe('of a ledger of two loans', () => {
  let head: Head;
  beforeEach(async () => {
    await post(open('A'), open('B'));
    const instalments = [1, 2].map((number) => ({ number, dueOn: '2026-12-01', amount: '580' }));
    const plan = { loanId: 'A', scheduleId: 'S', currency: 'AUD', madeAt: now, actor: 'a', instalments };
    await setSchedule(db, plan, now);
    for (const loanId of ['A', 'B', 'A']) await post(repay(loanId));
    await sealAll();
    head = (await verified()).head as Head;
  });

  test('a change of any column of a transfer is found where it is', async () => {
    const columns = await owner.query<{ name: string; type: string }>(
      `select attname as name, format_type(atttypid, null) as type from pg_attribute
       where attrelid = 'ledger.transfers'::regclass and attnum > 0 and not attisdropped`,
    );
    expect(columns.length).toBeGreaterThan(25);
    const other: Record<string, string> = {
      xid8: `'1'`,
      json: `'{"n": 1.50}'`,
      date: `'2020-01-01'`,
      numeric: '0.01',
      character: `'EUR'`,
      'timestamp with time zone': `recorded_at + interval '1 microsecond'`,
      uuid: 'gen_random_uuid()',
    };
    for (const { name, type } of columns) {
      // Loan and version are how its seal finds it; the kind is one of a list.
      if (name === 'loan_id' || name === 'version') continue;
      const value = name === 'kind' ? `'adjustment'` : (other[type] ?? `'other'`);
      const where = `where loan_id = 'A' and version = 4`;
      await behindOurBack(
        'create table if not exists public.kept as select * from ledger.transfers limit 0',
        `insert into public.kept select * from ledger.transfers ${where}`,
        ...['balanced', 'reversal_of_something', 'transfers_suspense_after_check'].map(
          (constraint) => `alter table ledger.transfers drop constraint if exists ${constraint}`,
        ),
        `update ledger.transfers set ${name} = ${value} ${where}`,
      );
      expect(await broken(), name).toEqual({
        kind: 'transfer_changed',
        position: 4,
        loanId: 'A',
        version: 4,
      });
      await behindOurBack(
        `delete from ledger.transfers ${where}`,
        'insert into ledger.transfers select * from public.kept',
        'drop table public.kept',
      );
    }
    expect(await broken()).toBeUndefined();
  });

  test.each<[string, string[], object]>([
    [
      'a transfer that is taken out',
      [`delete from ledger.transfers where loan_id = 'B' and version = 3`],
      { kind: 'transfer_missing', position: 3, loanId: 'B', version: 3 },
    ],
    [
      'a transfer that is put in',
      [
        `insert into ledger.transfers select (jsonb_populate_record(null::ledger.transfers, to_jsonb(t) ||
           '{"version": 9, "id": "00000000-0000-0000-0000-000000000009"}')).* from ledger.transfers t where loan_id = 'A' and version = 4`,
      ],
      { kind: 'put_in', loanId: 'A', version: 9 },
    ],
    [
      'a seal that is taken out',
      ['delete from ledger.seals where position = 2'],
      { kind: 'seal_missing', position: 2 },
    ],
    [
      'a seal that is changed',
      [`update ledger.seals set hash = sha256('x') where position = 2`],
      { kind: 'seal_changed', position: 2 },
    ],
    [
      'a balance that is changed',
      [`update ledger.positions set fees = fees + 1, income = income - 1 where loan_id = 'B'`],
      { kind: 'inconsistent', what: 'position', loanId: 'B' },
    ],
    [
      'an instalment that is paid by nobody',
      [`update ledger.instalments set paid = paid + 1 where loan_id = 'A' and number = 2`],
      { kind: 'inconsistent', what: 'instalments', loanId: 'A' },
    ],
    [
      'an end that was cut off, beside what was kept',
      [
        `delete from ledger.seals where position = 4`,
        `delete from ledger.transfers where loan_id = 'A' and version = 4`,
        `update ledger.positions p set version = 3, fees = fees_after, cash = p.cash - 10, scheduled_paid = 10
           from ledger.transfers t where t.loan_id = 'A' and t.version = 3 and p.loan_id = 'A'`,
      ],
      { kind: 'not_as_expected', position: 4 },
    ],
  ])('%s is found', async (_, statements, finding) => {
    await behindOurBack(...statements);
    expect((await verified(head)).broken).toEqual(finding);
  });

  test('what waits for its seal and is gone is found, and does not hold up the others', async () => {
    await post(repay('A'));
    await behindOurBack(`delete from ledger.transfers where loan_id = 'A' and version = 5`);
    await post(repay('B'));
    await expect.poll(() => sealTransfers(db, 10), patiently).toBe(1);
    expect(await broken()).toEqual({ kind: 'unsealed_missing', loanId: 'A', version: 5 });
  });

  test('a head is written down and read again', () => {
    expect(parseHead(written(head))).toEqual(head);
  });
});

test('the database knows the decimals of every currency', async () => {
  const rows = await db.query<{ exponent: number }>(
    'select ledger.currency_exponent(currency) as exponent from unnest($1::text[]) with ordinality as c (currency, n) order by n',
    [currencies],
  );
  expect(rows.map(({ exponent }) => exponent)).toEqual(currencies.map(currencyExponent));
});
