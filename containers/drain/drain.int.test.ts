import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createLog } from '../../shared/log.ts';
import { writeAcceptedArrival } from '../../shared/payments/accepted-arrival.ts';
import type { Arrival } from '../../shared/payments/arrival.ts';
import { type NewPayment, paymentIdOf } from '../../shared/payments/payment.ts';
import { recordPayments } from '../../shared/payments/record-payments.ts';
import { newPayment, newReversal } from '../../shared/payments/testing.ts';
import { createTestDatabase, createTestRedis, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { type Cuttable, cuttable } from '../publisher/testing.ts';
import { openAcceptedStream } from './accepted-stream.ts';
import { draining } from './drain.ts';

const stream = 'accepted:payments';
const claimAfterMs = 700;

let database: TestDatabase;
let owner: Pool;
let asDrain: Pool;
let postgresDoor: Cuttable;
let redisUrl: string;
let redis: ReturnType<typeof createClient>;
let events: Array<Record<string, unknown>>;

beforeAll(async () => {
  database = await createTestDatabase();
  postgresDoor = await cuttable(Number(new URL(database.url).port));
  const url = Object.assign(new URL(database.urlFor('recoup_drain')), { port: postgresDoor.port }).href;
  const pool = { min: 0, max: 4, applicationName: 'test', timeoutMs: 5_000 };
  owner = openPool({ ...pool, url: database.url });
  asDrain = openPool({ ...pool, url });
  ({ url: redisUrl } = await createTestRedis());
  redis = createClient({ url: redisUrl });
  await redis.connect();
});
beforeEach(async () => {
  events = [];
  await redis.flushDb();
  await owner.query('truncate payment_service.buried_arrivals, payment_service.payment_conflicts');
});
afterAll(async () => {
  redis.destroy();
  await asDrain.close();
  await postgresDoor.cut();
  await owner.close();
  await database.drop();
});

const append = (text: string) => redis.xAdd(stream, '*', { arrival: text });
const accept = (arrival: Arrival) => append(writeAcceptedArrival(arrival));
const acceptPayment = (payment: NewPayment) => accept({ kind: 'payment', payment });
const waiting = () => redis.xLen(stream);

function openDrain(consumer: string, batchSize = 50) {
  const accepted = openAcceptedStream({ url: redisUrl, stream, consumer, claimAfterMs });
  const log = createLog('debug', {}, (line) => events.push(JSON.parse(line)));
  const drain = draining({ db: asDrain, accepted, batchSize, log });
  const until = async (left: number) => {
    for (let i = 0; i < 200 && (await waiting()) !== left; i++) {
      if ((await drain.step()) === 0) await sleep(20);
    }
    expect(await waiting()).toBe(left);
  };
  return { ...drain, accepted, until };
}

const rowsOf = async (payments: readonly NewPayment[]) => {
  const references = payments.map((payment) => payment.referenceNumber);
  const [row] = await owner.query<Record<string, number>>(
    `select (select count(*)::int from payment_service.payment_references where reference_number = any ($1)) as refs,
            (select count(*)::int from payment_service.payments where reference_number = any ($1)) as payments,
            (select count(*)::int from outbox.messages where topic = 'payment.events'
               and payload::jsonb -> 'payment' ->> 'reference_number' = any ($1)) as messages`,
    [references],
  );
  return [row?.refs, row?.payments, row?.messages];
};
const buried = () =>
  owner.query<{ entry_id: string; arrival: string; reason: string }>(
    'select entry_id, arrival, reason from payment_service.buried_arrivals order by entry_id',
  );
/** A payment that the database cannot keep: more than its column holds. */
const impossible = () => newPayment({ cif: 'x'.repeat(30) });

test('what was accepted is recorded under the id it has, announced, and gone from the stream', async () => {
  const payments = Array.from({ length: 120 }, () => newPayment());
  for (const payment of payments) await acceptPayment(payment);
  const drain = openDrain('one');
  await drain.until(0);
  expect(await rowsOf(payments)).toEqual([120, 120, 120]);
  const [row] = await owner.query<{ id: string }>(
    'select id from payment_service.payments where reference_number = $1',
    [payments[0]?.referenceNumber],
  );
  expect(row?.id).toBe(await paymentIdOf(payments[0] as NewPayment));
  expect(await redis.xInfoConsumers(stream, 'drain')).toMatchObject([{ name: 'one', pending: 0 }]);
  await drain.accepted.leave();
  expect(await redis.xInfoConsumers(stream, 'drain')).toEqual([]);
});

test('copies, and a payment that came by another way first, change nothing', async () => {
  const [twice, known] = [newPayment(), newPayment()];
  await recordPayments(owner, [known]);
  for (const payment of [twice, known, twice, known]) await acceptPayment(payment);
  const drain = openDrain('one');
  await drain.until(0);
  expect(await rowsOf([twice, known])).toEqual([2, 2, 2]);
  await drain.accepted.leave();
});

test('another version of a payment is kept as a conflict like any other', async () => {
  const payment = newPayment();
  await acceptPayment(payment);
  await acceptPayment({ ...payment, amount: { amountMinor: 1n, currency: 'EUR' } });
  const drain = openDrain('one');
  await drain.until(0);
  expect(await rowsOf([payment])).toEqual([1, 1, 1]);
  expect(await owner.query('select amount, source, status from payment_service.payment_conflicts')).toEqual([
    { amount: '0.0100', source: 'webhook', status: 'open' },
  ]);
  await drain.accepted.leave();
});

test('reversals and failed attempts are recorded too, in whatever order they came', async () => {
  const payment = newPayment();
  await accept({ kind: 'reversal', reversal: newReversal(payment) });
  await acceptPayment(payment);
  const { referenceNumber } = payment;
  await accept({
    kind: 'failure',
    failure: {
      ...payment,
      loanAccountNumber: null,
      failureReference: 'F-1',
      reason: 'insufficient_funds',
      occurredAt: new Date(),
    },
  });
  const drain = openDrain('one');
  await drain.until(0);
  const [row] = await owner.query(
    `select r.reversed, f.reason from payment_service.payment_references r
     join payment_service.payment_failures f using (namespace, reference_number) where reference_number = $1`,
    [referenceNumber],
  );
  expect(row).toEqual({ reversed: '100.5000', reason: 'insufficient_funds' });
  await drain.accepted.leave();
});

test('what cannot be read is buried with its reason, in Postgres and in the twin stream, and blocks nothing', async () => {
  const payments = [newPayment(), newPayment()];
  await acceptPayment(payments[0] as NewPayment);
  const damaged = await append('{"version":1,\u0000');
  const later = await append('{"version":2,"kind":"payment"}');
  const foreign = await redis.xAdd(stream, '*', { something: 'else' });
  await acceptPayment(payments[1] as NewPayment);
  const drain = openDrain('one');
  await drain.until(0);
  expect(await rowsOf(payments)).toEqual([2, 2, 2]);
  expect(await buried()).toEqual([
    { entry_id: damaged, arrival: '{"version":1,\uFFFD', reason: 'it is not JSON' },
    { entry_id: later, arrival: '{"version":2,"kind":"payment"}', reason: 'its version is unknown' },
    { entry_id: foreign, arrival: '', reason: 'it is not JSON' },
  ]);
  expect((await redis.xRange(`dlq:${stream}`, '-', '+'))?.map(({ message }) => message)).toMatchObject([
    { entry_id: damaged, arrival: '{"version":1,\u0000', reason: 'it is not JSON' },
    { entry_id: later },
    { entry_id: foreign },
  ]);
  await drain.accepted.leave();
});

test('an entry that somebody deleted while it was read is forgotten', async () => {
  const id = await acceptPayment(newPayment());
  const drain = openDrain('one');
  await drain.accepted.fresh(10);
  await redis.xDel(stream, id);
  await drain.step();
  expect(await redis.xPending(stream, 'drain')).toMatchObject({ pending: 0 });
  expect(await buried()).toEqual([]);
  await drain.accepted.leave();
});

test('one payment that the database refuses is found among many, tried three times and buried', async () => {
  const payments = Array.from({ length: 20 }, () => newPayment());
  for (const payment of payments.slice(0, 11)) await acceptPayment(payment);
  const culprit = await acceptPayment(impossible());
  for (const payment of payments.slice(11)) await acceptPayment(payment);
  const drain = openDrain('one');
  await drain.step();
  expect(await waiting()).toBe(1);
  expect(await rowsOf(payments)).toEqual([20, 20, 20]);
  const later = newPayment();
  await acceptPayment(later);
  await drain.step();
  expect(await rowsOf([later])).toEqual([1, 1, 1]);
  await drain.until(0);
  expect(await buried()).toMatchObject([
    { entry_id: culprit, reason: 'DatabaseFault: the database answered SQLSTATE 22001' },
  ]);
  expect(events.filter(({ event }) => event === 'arrival_failed').map(({ attempts }) => attempts)).toEqual([
    1, 2, 3,
  ]);
  expect((await drain.heartbeat({ condition: 'running', failures: 0 })).detail).toMatchObject({
    backlog: 0,
    buried: 1,
    buried_total: 1,
    recorded_total: 21,
  });
  await drain.accepted.leave();
}, 60_000);

test('while the database is away nothing uses up attempts, and all is there when it is back', async () => {
  const payments = Array.from({ length: 5 }, () => newPayment());
  for (const payment of payments) await acceptPayment(payment);
  const drain = openDrain('one');
  await postgresDoor.cut();
  for (let i = 0; i < 6; i++) await expect(drain.step()).rejects.toMatchObject({ name: 'DatabaseFault' });
  expect(await waiting()).toBe(5);
  await postgresDoor.mend();
  await drain.until(0);
  expect(await rowsOf(payments)).toEqual([5, 5, 5]);
  expect(await buried()).toEqual([]);
  await drain.accepted.leave();
});

test('a database that does not let us record is no fault of the arrival', async () => {
  const payment = newPayment();
  await acceptPayment(payment);
  const drain = openDrain('one');
  await owner.query('revoke execute on function payment_service.record_payments from recoup_drain');
  try {
    for (let i = 0; i < 5; i++) await expect(drain.step()).rejects.toMatchObject({ sqlState: '42501' });
  } finally {
    await owner.query('grant execute on function payment_service.record_payments to recoup_drain');
  }
  await drain.until(0);
  expect(await rowsOf([payment])).toEqual([1, 1, 1]);
  await drain.accepted.leave();
});

test('what a drain read and never settled is taken over by another one, once it was quiet for long', async () => {
  const payments = Array.from({ length: 5 }, () => newPayment());
  for (const payment of payments) await acceptPayment(payment);
  const [dead, alive] = [openDrain('dead'), openDrain('alive')];
  expect(await dead.accepted.fresh(50)).toHaveLength(5);
  expect(await alive.step()).toBe(0);
  await sleep(claimAfterMs);
  await alive.until(0);
  expect(await rowsOf(payments)).toEqual([5, 5, 5]);
  await Promise.all([dead.accepted.leave(), alive.accepted.leave()]);
});

test('several drains share the work', async () => {
  const payments = Array.from({ length: 200 }, () => newPayment());
  for (const payment of payments) await acceptPayment(payment);
  const drains = ['one', 'two', 'three'].map((name) => openDrain(name, 10));
  await Promise.all(drains.map((drain) => drain.until(0)));
  expect(await rowsOf(payments)).toEqual([200, 200, 200]);
  await Promise.all(drains.map((drain) => drain.accepted.leave()));
});

test('the heartbeat tells how much waits and for how long', async () => {
  const drain = openDrain('one');
  await redis.xAdd(stream, `${Date.now() - 90_000}-0`, { arrival: 'x' });
  await acceptPayment(newPayment());
  const { detail } = await drain.heartbeat({ condition: 'running', failures: 0 });
  expect(detail).toMatchObject({ condition: 'running', backlog: 2, buried: 0 });
  expect(detail.oldest_seconds).toBeGreaterThanOrEqual(90);
  expect(detail.oldest_seconds).toBeLessThan(120);
  await drain.accepted.leave();
});

test('a Redis that does not sync every write, or may evict, is told aloud and makes it unhealthy', async () => {
  // The tests' own Redis syncs every second.
  const drain = openDrain('one');
  const { healthy, detail } = await drain.heartbeat({ condition: 'running', failures: 0 });
  expect(healthy).toBe(false);
  expect(detail).toMatchObject({
    store: 'not_durable',
    store_faults: 'appendfsync is everysec and must be always',
  });
  await drain.heartbeat({ condition: 'running', failures: 0 });
  expect(events.filter(({ event }) => event === 'store_not_durable')).toHaveLength(1);
  await drain.accepted.leave();
});

test('a Redis that does not say how durable it is counts as unknown, which is well', async () => {
  const username = `no-config-${process.pid}`;
  await redis.sendCommand(['ACL', 'SETUSER', username, 'on', '>secret', '~*', '+@all', '-config']);
  try {
    const url = Object.assign(new URL(redisUrl), { username, password: 'secret' }).href;
    const accepted = openAcceptedStream({ url, stream, consumer: 'one', claimAfterMs });
    expect(await accepted.durability()).toEqual({ store: 'unknown', faults: [] });
    const log = createLog('debug', {}, (line) => events.push(JSON.parse(line)));
    const drain = draining({ db: asDrain, accepted, batchSize: 10, log });
    expect(await drain.heartbeat({ condition: 'running', failures: 0 })).toMatchObject({
      healthy: true,
      detail: { store: 'unknown', store_faults: null },
    });
    expect(events.map(({ event }) => event)).toEqual(['store_durability_unknown']);
    await accepted.leave();
  } finally {
    await redis.sendCommand(['ACL', 'DELUSER', username]);
  }
});

test('a Redis that is away is told by the heartbeat', async () => {
  const accepted = openAcceptedStream({ url: 'redis://127.0.0.1:1', stream, consumer: 'one', claimAfterMs });
  const log = createLog('debug', {}, () => {});
  const drain = draining({ db: asDrain, accepted, batchSize: 10, log });
  expect(await drain.heartbeat({ condition: 'failing', failures: 3 })).toMatchObject({
    healthy: false,
    detail: { store: 'away', backlog: null, oldest_seconds: null },
  });
  await expect(drain.step()).rejects.toThrow();
});
