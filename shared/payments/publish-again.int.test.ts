// What is told again is what was told: ids, texts, and the order of every loan.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { parseExactJson } from '../exact-json.ts';
import type { NewFailure } from './failure.ts';
import type { NewPayment } from './payment.ts';
import { publishAgain } from './publish-again.ts';
import type { PublishRange } from './publish-range.ts';
import { recordFailures } from './record-failures.ts';
import { recordPayments } from './record-payments.ts';
import { acceptConflict } from './resolve-conflict.ts';
import { reversePayments } from './reverse-payments.ts';
import { newPayment, newReversal } from './testing.ts';

let database: TestDatabase;
let owner: Pool;

interface Told {
  topic: string;
  key: string;
  id: string;
  payload: unknown;
}
/** What was told the first time, in its order. */
let first: Told[];

const outbox = async (): Promise<Told[]> => {
  const rows = await owner.query<{ topic: string; key: string; event_id: string; payload: string }>(
    `select topic, key, event_id, payload from outbox.messages where destination = 'log' order by position`,
  );
  return rows.map(({ topic, key, event_id: id, payload }) => ({
    topic,
    key,
    id,
    payload: parseExactJson(payload),
  }));
};
const byLoan = (told: Told[]) => Object.groupBy(told, ({ topic, key }) => `${topic} ${key}`);

async function again(
  by: PublishRange['by'],
  limit = 500,
  over: { topic?: PublishRange['topic']; dryRun?: boolean } = {},
) {
  let total = { payments: 0, failures: 0, reversals: 0 };
  const options = { limit, dryRun: over.dryRun ?? false };
  for await (const soFar of publishAgain(owner, { by, topic: over.topic ?? null }, options)) total = soFar;
  return { total, told: await outbox() };
}

const record = (payment: NewPayment) => recordPayments(owner, [payment]);
const reverse = (payment: NewPayment, over: Parameters<typeof newReversal>[1]) =>
  reversePayments(owner, [newReversal(payment, over)], { keepRefused: true });
const fail = (over: Partial<NewFailure>) =>
  recordFailures(owner, [
    {
      namespace: 'default',
      referenceNumber: 'REF-F',
      failureReference: `evt-${crypto.randomUUID()}`,
      loanAccountNumber: 'LN-1',
      cif: 'CIF-1',
      amount: { amountMinor: 500n, currency: 'JPY' },
      reason: 'insufficient_funds',
      occurredAt: new Date('2026-11-10T08:00:00.000Z'),
      paymentChannel: 'bank',
      source: 'webhook',
      actor: 'channel:bank',
      ...over,
    },
  ]);
const cents = (amountMinor: bigint) => ({ amountMinor, currency: 'EUR' });
const on = (day: string, over: Partial<NewPayment> = {}) =>
  newPayment({ paymentDate: new Date(`${day}T10:00:00.123Z`), paidOn: day, ...over });

const november = { from: new Date('2026-11-01T00:00:00Z'), until: new Date('2026-12-01T00:00:00Z') };
const early = on('2026-11-02', {
  referenceNumber: 'REF-EARLY',
  metadata: '{"n": 10.000000000000000001, "t": ["ä"]}',
});
const exported = on('2026-11-03', { referenceNumber: 'REF-EXPORTED', loanAccountNumber: 'LN-9' });

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 2, applicationName: 'test', timeoutMs: 20_000 });
  await record(early);
  await fail({ failureReference: 'evt-1' });
  const late = on('2026-11-29', {
    amount: { amountMinor: 1_230n, currency: 'KWD' },
    loanAccountNumber: 'LN-2',
  });
  await reverse(late, { amount: { amountMinor: 1n, currency: 'KWD' }, reversalReference: 'HELD-2' });
  await reverse(late, { amount: { amountMinor: 2n, currency: 'KWD' }, reversalReference: 'HELD-1' });
  await reverse(late, {
    amount: { amountMinor: 9_999_999n, currency: 'KWD' },
    reversalReference: 'TOO-MUCH',
  });
  await reverse(early, { amount: cents(50n), reversalReference: 'PART' });
  await record(late);
  const [conflict] = await record({ ...early, amount: cents(7n) });
  await acceptConflict(owner, {
    conflictId: conflict?.outcome === 'conflict' ? conflict.conflictId : '',
    reason: null,
    actor: 'test',
  });
  await record({ ...early, namespace: 'psp' });
  await fail({ referenceNumber: 'REF-EARLY', loanAccountNumber: null, cif: null, amount: null });
  await reverse(early, { reversalReference: 'REST' });
  for (let n = 0; n < 5; n += 1) await record(on('2026-11-15', { loanAccountNumber: `LN-${n % 3}` }));
  await record(on('2026-12-01'));
  await record(on('2026-10-31'));
  await fail({ occurredAt: new Date('2026-12-02T00:00:00Z') });
  await record(exported);
  await reverse(exported, {});
  first = await outbox();
});
beforeEach(() => owner.query('delete from outbox.messages'));
afterAll(async () => {
  await owner.close();
  await database.drop();
});

const everything = { from: new Date('2026-01-01T00:00:00Z'), until: new Date('2027-01-01T00:00:00Z') };

describe('everything told again', () => {
  test.each([1, 2, 3, 7, 500])('in steps of %d is what was told, each loan in its order', async (limit) => {
    const { total, told } = await again(everything, limit);
    expect(byLoan(told)).toEqual(byLoan(first));
    const facts = total.payments + total.failures + total.reversals;
    expect(facts * 2).toBe(first.length);
  });

  test('twice is the same twice', async () => {
    await again(everything);
    const { told } = await again(everything);
    expect(byLoan(told)).toEqual(byLoan([...first, ...first]));
  });

  test('on one topic leaves the other alone', async () => {
    for (const topic of ['payment.events', 'payment.lifecycle'] as const) {
      await owner.query('delete from outbox.messages');
      const { told } = await again(everything, 2, { topic });
      expect(byLoan(told)).toEqual(byLoan(first.filter((message) => message.topic === topic)));
    }
  });

  test('in a dry run is counted and written nowhere', async () => {
    const { total, told } = await again(everything, 2, { dryRun: true });
    expect((total.payments + total.failures + total.reversals) * 2).toBe(first.length);
    expect(told).toEqual([]);
  });
});

describe('a part told again', () => {
  const of = (message: Told, reference: string) => JSON.stringify(message.payload).includes(`"${reference}"`);

  test('by date has the payments of those days, all of their reversals, and the failures of those days', async () => {
    const { told } = await again(november, 2);
    const dates = told.flatMap(({ payload }) => {
      const { event_type: type, payment } = payload as {
        event_type?: string;
        payment?: { payment_date: string };
      };
      return type === 'payment.recorded' ? [payment?.payment_date.slice(0, 7)] : [];
    });
    expect(new Set(dates)).toEqual(new Set(['2026-11']));
    const outside = first.length - told.length;
    // Two payments and one failure lie outside, each told on two topics.
    expect(outside).toBe(6);
    expect((await again({ from: november.until, until: november.from })).total.payments).toBe(0);
  });

  test('by loan has that loan alone', async () => {
    const { told } = await again({ loanAccountNumber: 'LN-2' }, 2);
    expect(byLoan(told)).toEqual(byLoan(first.filter(({ key }) => key === 'LN-2')));
    expect(told.length).toBeGreaterThan(4);
  });

  test('by reference has every namespace’s payments of it, their reversals and its failures', async () => {
    const { told } = await again({ referenceNumber: 'REF-EARLY' }, 2);
    expect(byLoan(told)).toEqual(byLoan(first.filter((message) => of(message, 'REF-EARLY'))));
    expect((await again({ referenceNumber: 'REF-NONE' })).total).toEqual({
      payments: 0,
      failures: 0,
      reversals: 0,
    });
  });
});

test('a range that is none, or two at once, is a fault and writes nothing', async () => {
  for (const range of ['null, null, null, null', `now(), null, null, null`, `now(), now(), 'LN-1', null`]) {
    const call = `select * from payment_service.publish_again(${range}, null, null, 10, false)`;
    await expect(owner.query(call)).rejects.toMatchObject({ sqlState: '22023' });
  }
  expect(await outbox()).toEqual([]);
});

describe('the command', () => {
  const run = promisify(execFile);
  const command = (...args: string[]) =>
    run(process.execPath, [join(import.meta.dirname, '../../dev/publish-again.ts'), ...args], {
      env: { ...process.env, DATABASE_URL: database.url, BUSINESS_TIME_ZONE: 'Europe/Berlin' },
      timeout: 20_000,
    });

  test('publishes the days named, says how much it was and who did it', async () => {
    const { stdout } = await command(
      '--from',
      '2026-11-01',
      '--to',
      '2026-11-30',
      '--topic',
      'payment.events',
    );
    const told = await outbox();
    expect(told.length).toBeGreaterThan(8);
    expect(stdout).toContain(`${told.length} messages: `);
    expect(stdout).toContain('exported');
    const done = stdout.split('\n').find((line) => line.includes('"event":"publish_again_done"'));
    expect(JSON.parse(done as string)).toMatchObject({
      actor: 'job:publish-again',
      way: 'date',
      // The days of the business zone.
      from: '2026-10-31T23:00:00.000Z',
      until: '2026-11-30T23:00:00.000Z',
      messages: told.length,
    });
    expect(stdout).not.toContain('LN-');
  });

  test('publishes nothing in a dry run', async () => {
    const { stdout } = await command('--loan', 'LN-2', '--dry-run');
    expect(stdout).toContain('nothing was published');
    expect(await outbox()).toEqual([]);
  });

  test.each([
    [[]],
    [['--from', '2026-11-01']],
    [['--from', '2026-11-02', '--to', '2026-11-01']],
    [['--from', '2026-02-30', '--to', '2026-03-01']],
    [['--loan', 'LN-1', '--reference', 'REF-1']],
    [['--loan', 'LN-1', '--topic', 'payments']],
  ])('with %j says how it is used', async (args) => {
    await expect(command(...args)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Usage: '),
    });
    expect(await outbox()).toEqual([]);
  });
});

test('a payment that retention has exported is not told, nor are its reversals', async () => {
  await owner.query('delete from payment_service.payments where reference_number = $1', [
    exported.referenceNumber,
  ]);
  for (const by of [
    everything,
    { loanAccountNumber: 'LN-9' },
    { referenceNumber: exported.referenceNumber },
  ]) {
    const { told } = await again(by);
    expect(told.filter((message) => JSON.stringify(message.payload).includes('REF-EXPORTED'))).toEqual([]);
  }
});
