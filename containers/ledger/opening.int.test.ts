// Loans are opened by events of real streams, and what the ledger has posted goes back into one, as the projector reads
// it.

import { randomUUID } from 'node:crypto';
import { createClient } from 'redis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { readBalances } from '../../shared/ledger/read-loan.ts';
import { readSchedule } from '../../shared/ledger/read-schedule.ts';
import { createLog } from '../../shared/log.ts';
import { readEvent } from '../../shared/servicing/read-event.ts';
import { readEnvelope } from '../../shared/stream/envelope.ts';
import { createTestLedger, createTestRedis, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import type { LoopState } from '../loop.ts';
import { openEventStream } from './event-stream.ts';
import { openLedger } from './ledger.ts';
import { opening } from './opening.ts';
import { telling } from './telling.ts';
import { newId } from './testing.ts';

const business = { timeZone: 'Europe/Berlin', currency: 'EUR' };
const streams = ['inbox:test', 'inbox:test:internal'];
const running: LoopState = { condition: 'running', failures: 0 };

let database: TestDatabase;
let db: Pool;
let redisUrl: string;
let redis: ReturnType<typeof createClient>;
let ledger: ReturnType<typeof openLedger>;

beforeAll(async () => {
  database = await createTestLedger();
  db = openPool({
    url: database.urlFor('recoup_ledger'),
    min: 0,
    max: 5,
    applicationName: 'test',
    timeoutMs: 5_000,
  });
  ({ url: redisUrl } = await createTestRedis());
  redis = createClient({ url: redisUrl });
  await redis.connect();
  ledger = openLedger({
    db,
    timeZone: business.timeZone,
    orders: {},
    batches: { largestBatch: 50, mostWaiting: 500, lanes: 2 },
    mostWatchers: 1,
  });
});
beforeEach(() => redis.flushDb());
afterAll(async () => {
  redis.destroy();
  await db.close();
  await database.drop();
});

const logged: string[] = [];
const log = createLog('info', {}, (line) => logged.push(line));

const reader = (consumer = 'one', submit = ledger.submit) =>
  opening({
    url: redisUrl,
    streams,
    consumer,
    business,
    submit,
    setSchedule: ledger.setSchedule,
    db,
    log,
  });
const detail = async ({ part }: ReturnType<typeof opening>) => (await part.heartbeat(running)).detail;

const send = (type: string, payload: object, stream = streams[0]!) =>
  redis.xAdd(stream, '*', { event_id: randomUUID(), event_type: type, payload: JSON.stringify(payload) });
const account = (accountId: string, more: object = {}) => ({
  account_id: accountId,
  account_number: `A-${accountId}`,
  customer_id: 'customer-1',
  application_number: 'APP-1',
  status: 'AccountStatus.ACTIVE',
  loan_amount: '1000.00',
  loan_fee: 50,
  loan_total_payable: '1100.00',
  opened_date: '2026-03-01T23:30:00Z',
  ...more,
});
const schedule = (accountId: string, more: object = {}) => ({
  account_id: accountId,
  schedule_id: `S-${accountId}`,
  payments: [
    { payment_number: 1, due_date: '2026-04-01', amount: '600.00' },
    { payment_number: 2, due_date: '2026-05-01', amount: '500.00' },
  ],
  created_date: '2026-03-01',
  ...more,
});
const balance = async (loan: string) => (await readBalances(db, loan))?.balances;

test('a loan is opened as paid out on its day, with interest by schedule, whichever event comes first', async () => {
  const [one, other] = [newId(), newId()];
  await send('account.schedule.created.v1', schedule(one));
  await send('account.created.v1', account(one));
  await send('account.created.v1', account(other, { status: 'PENDING_DISBURSEMENT' }), streams[1]);
  const reading = reader();
  while ((await reading.part.step()) > 0);
  expect(await balance(one)).toMatchObject({ principal: 100_000n, fees: 5_000n, interest: 5_000n });
  expect(await balance(other)).toMatchObject({ principal: 0n, fees: 0n });
  expect((await readBalances(db, one))?.loan).toMatchObject({
    // In Berlin it was the next day.
    openedOn: '2026-03-02',
    accountNumber: `A-${one}`,
    customerId: 'customer-1',
    currency: 'EUR',
  });
  const planned = await readSchedule(db, { loanId: one }, '2026-03-02');
  expect(planned?.instalments.map(({ amount }) => amount)).toEqual([60_000n, 50_000n]);
  expect(await detail(reading)).toMatchObject({ loans_opened_total: 2, schedules_set_total: 1 });
  await reading.close();
});

test.each([
  ['after it was opened', ['account.created.v1', 'account.status_changed.v1']],
  ['before it was opened', ['account.status_changed.v1', 'account.created.v1']],
])('a loan that events call active %s is paid out by its terms, once', async (_, types) => {
  const loan = newId();
  const pending = account(loan, { status: 'PENDING_DISBURSEMENT' });
  const active = { account_id: loan, new_status: 'AccountStatus.ACTIVE' };
  const reading = reader();
  for (const type of [...types, 'account.status_changed.v1']) {
    await send(type, type === 'account.created.v1' ? pending : active);
    while ((await reading.part.step()) > 0);
  }
  await send('account.updated.v1', { account_id: loan, status: 'SUSPENDED' });
  while ((await reading.part.step()) > 0);
  expect(await balance(loan)).toMatchObject({ principal: 100_000n, fees: 5_000n, interest: 5_000n });
  expect(await detail(reading)).toMatchObject({ loans_disbursed_total: 1, openings_refused_total: 0 });
  await reading.close();
});

test('a loan that was closed before it was paid out owes nothing', async () => {
  const loan = newId();
  await send('account.created.v1', account(loan, { status: 'PENDING_DISBURSEMENT' }));
  await send('account.closed.v1', { account_id: loan, closure_reason: 'ADMIN_CLOSED' });
  await send('account.status_changed.v1', { account_id: loan, new_status: 'CLOSED' });
  const reading = reader();
  while ((await reading.part.step()) > 0);
  expect(await balance(loan)).toMatchObject({ principal: 0n, fees: 0n });
  await reading.close();
});

test('an event that comes again changes nothing, and what is no use is passed by', async () => {
  const loan = newId();
  await send('account.created.v1', account(loan));
  await send('account.created.v1', account(loan));
  await send('account.created.v1', account(newId(), { loan_amount: undefined }));
  await send('account.created.v1', account(newId(), { loan_amount: 'much' }));
  await send('account.created.v1', account(loan, { loan_amount: '999.00' }));
  await send('account.updated.v1', account(loan));
  await send('account.schedule.created.v1', schedule(loan, { payments: [] }));
  await redis.xAdd(streams[0]!, '*', { nothing: 'to read' });
  const reading = reader();
  while ((await reading.part.step()) > 0);
  expect(await balance(loan)).toMatchObject({ principal: 100_000n });
  expect(await detail(reading)).toMatchObject({
    loans_opened_total: 2,
    openings_refused_total: 1,
    events_passed_by_total: 5,
  });
  expect(logged.join()).toContain('key_reused');
  await reading.close();
});

test('what a reader has read and not done is done after a fault', async () => {
  const loan = newId();
  await send('account.created.v1', account(loan));
  let away = true;
  const failing = reader('gone', (command, signal) => {
    if (away) throw Object.assign(new Error('full'), { name: 'Overloaded' });
    return ledger.submit(command, signal);
  });
  await expect(failing.part.step()).rejects.toThrow('full');
  expect(await balance(loan)).toBeUndefined();
  away = false;
  expect(await failing.part.step()).toBe(1);
  expect(await balance(loan)).toMatchObject({ principal: 100_000n });
  await failing.close();
});

test('what was posted is told in the envelope that the projector reads', async () => {
  const loan = newId();
  await send('account.created.v1', account(loan));
  const reading = reader();
  while ((await reading.part.step()) > 0);
  await reading.close();
  const stream = openEventStream(redisUrl, streams[1]!);
  const part = telling(db, stream, log);
  while ((await part.step()) > 0);
  await stream.close();
  const entries = await redis.xRange(streams[1]!, '-', '+');
  const claims = entries!.flatMap(({ message }) => {
    const envelope = readEnvelope(message, business.timeZone);
    if (!envelope.ok) throw new Error(envelope.refusal);
    const read = readEvent(envelope.value, business);
    if (!read.ok) throw new Error(read.refusal);
    expect(read.value.handled).toBe(true);
    return read.value.claims;
  });
  expect(claims).toContainEqual(expect.objectContaining({ kind: 'account', id: loan }));
  expect(await part.heartbeat(running)).toMatchObject({ healthy: true, detail: { events_undeliverable: 0 } });
});
