import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../containers/database.ts';
import { openVault } from '../containers/projector/vault.ts';
import { foldBatch } from '../shared/servicing/fold-batch.ts';
import { event, incoming, rules } from '../shared/servicing/testing.ts';
import type { StreamEvent } from '../shared/stream/envelope.ts';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';

let database: TestDatabase;
let owner: Pool;
const key = new Uint8Array(32).fill(7);
const tools = { vault: openVault([{ name: 'test', key }]), rules };

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 2, applicationName: 'test', timeoutMs: 20_000 });
  for (let i = 0; i < 6; i++) {
    await fold(
      ...Array.from({ length: 100 }, (_, k) =>
        event('customer.created.v1', {
          customer_id: `C${i * 100 + k}`,
          first_name: 'Ada',
          cif: `F${i * 100 + k}`,
        }),
      ),
    );
  }
  await fold(
    event('user_input', { utterance: 'hello' }, { conversation_id: 'V1', user_id: 'C1', id: 'line-1' }),
    event('account.created.v1', { account_id: 'A1', customer_id: 'C1', current_balance: '5.00' }),
    event('account.updated.v1', { account_id: 'A1', borrowers: [{ customer_id: 'C2' }] }),
  );
});
afterAll(async () => {
  await owner.close();
  await database.drop();
});

const fold = (...events: StreamEvent[]) =>
  owner.transaction((tx) =>
    foldBatch(
      tx,
      events.map((one) => incoming(one)),
      tools,
    ),
  );

const environment = (more: Record<string, string> = {}) => ({
  ...process.env,
  DATABASE_URL: database.url,
  ARCHIVE_MASTER_KEYS: `test:${Buffer.from(key).toString('base64')}`,
  BUSINESS_TIME_ZONE: rules.timeZone,
  DEFAULT_CURRENCY: rules.currency,
  ...more,
});
const file = (command: string) => join(import.meta.dirname, `${command}.ts`);

function run(command: string, args: string[], more: Record<string, string> = {}) {
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile(
      process.execPath,
      [file(command), ...args],
      { env: environment(more), timeout: 60_000 },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

test('differences are told without names, shown when asked to, and corrected', async () => {
  expect(await run('verify-projections', [])).toEqual({
    code: 0,
    out: '602 aggregates, 603 events: 0 differences\n',
    err: '',
  });
  await owner.query(`update servicing.customers set first_name = 'Eve' where customer_id = 'C5'`);
  await owner.query(`update servicing.loan_accounts set current_balance = 6`);
  await owner.query(`delete from servicing.conversation_entries`);
  const told = await run('verify-projections', []);
  expect(told.code).toBe(1);
  expect(told.out.split('\n').sort()).toEqual([
    '',
    '602 aggregates, 603 events: 3 differences',
    'account:A1  loan_accounts  current_balance: 6.0000 -> 5.00',
    'conversation:V1  conversation_entries line-1  is missing',
    'customer:C5  customers  first_name: (not shown) -> (not shown)',
  ]);
  const shown = await run('verify-projections', ['--projection', 'customers', '--show-values']);
  expect(shown.out).toBe(
    'customer:C5  customers  first_name: Eve -> Ada\n600 aggregates, 600 events: 1 differences\n',
  );
  expect(
    (await run('verify-projections', ['--sample', '10', '--projection', 'conversations'])).out,
  ).toContain('1 aggregates, 1 events: 1 differences');

  const rebuilt = await run('rebuild', ['--projection', 'all']);
  expect(rebuilt.code).toBe(0);
  expect(rebuilt.out.replace(/\(.*\)/g, '(...)')).toBe(
    'customers: done: 600 aggregates, 600 events, 1 corrected (...)\n' +
      'accounts: done: 1 aggregates, 2 events, 1 corrected (...)\n' +
      'conversations: done: 1 aggregates, 1 events, 1 corrected (...)\n',
  );
  expect((await run('verify-projections', [])).code).toBe(0);
}, 120_000);

test('what is asked for wrongly is refused, and so is a database without its keys', async () => {
  for (const [command, args, message] of [
    ['rebuild', [], /^--projection is needed/],
    ['rebuild', ['--projection', 'loans'], /^--projection is needed/],
    ['verify-projections', ['--sample', '-1'], /--sample/],
    ['erase', ['--customer', 'C1'], /^--reason/],
    [
      'erase',
      ['--customer', 'nobody', '--reason', 'r'],
      /^nobody has told about a customer nobody \(--customer expects the customer_id/m,
    ],
  ] as const) {
    const { code, err } = await run(command, [...args]);
    expect(err).toMatch(message);
    expect(code).toBe(1);
  }
  expect((await run('rebuild', ['--projection', 'all'], { ARCHIVE_MASTER_KEYS: '' })).err).toContain(
    'ARCHIVE_MASTER_KEYS: is missing',
  );
}, 120_000);

test('two rebuilds of one projection at once are refused; stopped, it goes on from there', async () => {
  // A fold that does not end holds the last aggregates: the rebuild waits for it after some pages.
  const blocker = Promise.withResolvers<void>();
  const isHeld = Promise.withResolvers<void>();
  const holding = owner.transaction(async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtextextended('servicing customer:C99', 0))`);
    isHeld.resolve();
    await blocker.promise;
  });
  await isHeld.promise;
  const child = spawn(process.execPath, [file('rebuild'), '--projection', 'customers'], {
    env: environment(),
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  let errors = '';
  child.stderr.on('data', (data) => {
    errors += data;
  });
  try {
    await expect
      .poll(
        () => owner.query('select done_up_to from servicing.rebuilds where projection = $1', ['customers']),
        {
          timeout: 20_000,
        },
      )
      .toEqual([{ done_up_to: expect.stringMatching(/^archive customer:C[1-8]/) }]);
    expect(await run('rebuild', ['--projection', 'customers'])).toEqual({
      code: 1,
      out: '',
      err: 'customers: is being rebuilt by another process\n',
    });
    child.kill('SIGTERM');
  } finally {
    blocker.resolve();
    await holding;
  }
  expect(await ended).toBe(1);
  expect(errors).toMatch(/^customers: stopped; the same command goes on from here$/m);
  const { code, out } = await run('rebuild', ['--projection', 'customers']);
  expect(code).toBe(0);
  expect(out).toMatch(/^customers: going on after [46]00 aggregates\ncustomers: done: 600 aggregates/);
}, 120_000);

test('an erasure says what it did, once', async () => {
  expect(await run('erase', ['--customer', 'C1', '--reason', 'asked to', '--by', 'mary'])).toEqual({
    code: 0,
    out: [
      'erased: C1',
      'keys deleted: 3',
      'events without names now: 3, which tell about 3 aggregates',
      'dead letters deleted: 0',
      'notes deleted: 0',
      'waiting events folded without names: 0',
      "keeps its key, being somebody else's as well: account:A1",
      '',
    ].join('\n'),
    err: '',
  });
  const again = await run('erase', ['--customer', 'C1', '--reason', 'asked to']);
  expect(again.out).toContain('erased: C1 (had been erased before)\nkeys deleted: 0\n');
  expect(await owner.query('select customer_id, requested_by from servicing.erasures')).toEqual([
    { customer_id: 'C1', requested_by: 'mary' },
  ]);
  expect((await run('verify-projections', [])).code).toBe(0);
}, 120_000);
