// The drain as it is deployed: a process of its own with its own role's rights, in front of a Redis that syncs every
// write. It and that Redis are killed at the worst moments.

import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { openTcpGate, type TcpGate } from '../../dev/doors/tcp-gate.ts';
import { type Redis, startRedis } from '../../dev/servers/redis.ts';
import { writeAcceptedArrival } from '../../shared/payments/accepted-arrival.ts';
import type { NewPayment } from '../../shared/payments/payment.ts';
import { newPayment } from '../../shared/payments/testing.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { seeded } from '../../test/seeded.ts';
import { openPool, type Pool } from '../database.ts';
import { type ContainerProcess, spawnContainer } from '../testing.ts';

const stream = 'accepted:payments';
const seed = 20_261_124;
const kills = 6;

let database: TestDatabase;
let owner: Pool;
let server: Redis;
let options: Parameters<typeof startRedis>[0];
let gate: TcpGate;
let redis: ReturnType<typeof createClient>;
const drains = new Set<ContainerProcess>();

const connect = async () => {
  redis = createClient({ url: server.url, socket: { reconnectStrategy: false } });
  redis.on('error', () => {});
  await redis.connect();
};
beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 4, applicationName: 'test', timeoutMs: 10_000 });
  const folder = mkdtempSync(join(inject('runFolder'), 'accepted-'));
  options = { dataDir: join(folder, 'redis'), logFile: join(folder, 'redis.log'), onLoss: () => {} };
  server = await startRedis(options);
  options = { ...options, port: server.port, password: new URL(server.url).password };
  gate = await openTcpGate({ host: '127.0.0.1', port: server.port });
  await connect();
});
beforeEach(async () => {
  await redis.del([stream, `dlq:${stream}`]);
  await owner.query('truncate operations.heartbeats');
});
afterEach(async () => {
  for (const { child } of drains) child.kill('SIGKILL');
  await Promise.all([...drains].map(({ exited }) => exited));
  drains.clear();
  await gate.comeBack();
});
afterAll(async () => {
  redis.destroy();
  await gate.goAway();
  await server.stop();
  await owner.close();
  await database.drop();
});

const started = expect.objectContaining({ event: 'drain_started' });
const start = async (env: Record<string, string> = {}) => {
  const drain = spawnContainer('drain', {
    DATABASE_URL: database.urlFor('recoup_drain'),
    ACCEPTED_REDIS_URL: Object.assign(new URL(server.url), { port: gate.port }).href,
    DRAIN_INTERVAL_MS: '20',
    DRAIN_CLAIM_AFTER_SECONDS: '1',
    HEARTBEAT_SECONDS: '1',
    ...env,
  });
  drains.add(drain);
  return drain;
};
const end = async (drain: ContainerProcess, signal: 'SIGKILL' | 'SIGTERM') => {
  await eventually(() => drain.lines).toContainEqual(started);
  drains.delete(drain);
  drain.child.kill(signal);
  return drain.exited;
};
const eventually = <T>(get: () => T) => expect.poll(get, { timeout: 30_000, interval: 50 });
const waiting = () => redis.xLen(stream);
const accept = async (count: number): Promise<NewPayment[]> => {
  const payments = Array.from({ length: count }, () => newPayment());
  for (const payment of payments) {
    await redis.xAdd(stream, '*', { arrival: writeAcceptedArrival({ kind: 'payment', payment }) });
  }
  return payments;
};
const rowsOf = async (payments: readonly NewPayment[]) => {
  const [row] = await owner.query<Record<string, number>>(
    `select (select count(*)::int from payment_service.payments where reference_number = any ($1)) as payments,
            (select count(*)::int from outbox.messages where topic = 'payment.events'
               and payload::jsonb -> 'payment' ->> 'reference_number' = any ($1)) as messages`,
    [payments.map((payment) => payment.referenceNumber)],
  );
  return [row?.payments, row?.messages];
};
const heartbeat = async () => {
  const [row] = await owner.query<{ healthy: boolean; detail: Record<string, unknown> }>(
    "select healthy, detail from operations.heartbeats where process = 'drain' order by beat_at desc limit 1",
  );
  return row;
};

test('it records what waits and what comes, says so in its heartbeat, and signs off on SIGTERM', async () => {
  const first = await accept(30);
  const drain = await start();
  await eventually(waiting).toBe(0);
  const later = await accept(3);
  await eventually(waiting).toBe(0);
  expect(await rowsOf([...first, ...later])).toEqual([33, 33]);
  await eventually(heartbeat).toMatchObject({
    healthy: true,
    detail: {
      condition: 'running',
      store: 'durable',
      store_faults: null,
      backlog: 0,
      oldest_seconds: 0,
      recorded_total: 33,
      buried: 0,
      buried_total: 0,
    },
  });
  expect(await end(drain, 'SIGTERM')).toEqual({ code: 0, signal: null });
  expect(await heartbeat()).toBeUndefined();
  expect(await redis.xInfoConsumers(stream, 'drain')).toEqual([]);
  expect(drain.errors()).toBe('');
});

test('settings that do not parse end it with code 1 and a readable list', async () => {
  const drain = await start({ DATABASE_URL: '', ACCEPTED_REDIS_URL: '', DRAIN_BATCH_SIZE: 'all' });
  expect(await drain.exited).toEqual({ code: 1, signal: null });
  expect(drain.errors()).toBe(
    [
      'drain cannot start, its settings need attention:',
      '  DATABASE_URL: is missing: the database',
      '  ACCEPTED_REDIS_URL: is missing: the Redis that keeps accepted payments',
      '  DRAIN_BATCH_SIZE: expected a whole number from 1 to 5000\n',
    ].join('\n'),
  );
});

test('killed after recording and before acknowledging, the next one finds nothing to record twice', async () => {
  const payments = await accept(20);
  let drain: ContainerProcess | undefined;
  await owner.transaction(async (tx) => {
    await tx.query('lock table outbox.messages in exclusive mode');
    drain = await start();
    const held = async () =>
      (
        await owner.query(
          "select from pg_stat_activity where usename = 'recoup_drain' and wait_event_type = 'Lock'",
        )
      ).length;
    await eventually(held).toBe(1);
    // It may record now, but nothing of it reaches Redis any more.
    gate.fallSilent();
  });
  await eventually(() => rowsOf(payments)).toEqual([20, 20]);
  await end(drain as ContainerProcess, 'SIGKILL');
  await gate.comeBack();
  expect(await waiting()).toBe(20);
  expect(await redis.xPending(stream, 'drain')).toMatchObject({ pending: 20 });
  await start();
  await eventually(waiting).toBe(0);
  expect(await rowsOf(payments)).toEqual([20, 20]);
  expect(await redis.xPending(stream, 'drain')).toMatchObject({ pending: 0 });
});

/** Entries that are neither unread nor pending, all counted at one moment: nobody would ever look at them again. */
const orphans = `
local unread = 0
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  for i = 1, #group, 2 do
    if group[i] == 'last-delivered-id' then
      unread = #redis.call('XRANGE', KEYS[1], '(' .. group[i + 1], '+')
    end
  end
end
local pending = redis.call('XPENDING', KEYS[1], 'drain')[1]
return { redis.call('XLEN', KEYS[1]), pending, unread }`;

test('acknowledged is deleted in the same step: killed at any moment, no entry is left that nobody looks at', async () => {
  const payments = await accept(120);
  const drain = await start({ DRAIN_BATCH_SIZE: '1' });
  await eventually(() => drain.lines).toContainEqual(started);
  await eventually(waiting).toBeLessThan(120);
  let looked = 0;
  for (let left = 120; left > 0; looked++) {
    const [length, pending, unread] = (await redis.eval(orphans, { keys: [stream] })) as [
      number,
      number,
      number,
    ];
    expect(length - pending - unread).toBe(0);
    left = length;
  }
  expect(looked).toBeGreaterThan(20);
  await end(drain, 'SIGKILL');
  expect(await rowsOf(payments)).toEqual([120, 120]);
});

test('a database that is away is waited for', async () => {
  const postgres = await openTcpGate({ host: '127.0.0.1', port: Number(new URL(database.url).port) });
  const url = Object.assign(new URL(database.urlFor('recoup_drain')), { port: postgres.port }).href;
  const drain = await start({ DATABASE_URL: url });
  await eventually(async () => (await heartbeat())?.healthy).toBe(true);
  await postgres.goAway();
  const payments = await accept(10);
  await eventually(() => drain.lines.some(({ event }) => event === 'drain_failed')).toBe(true);
  expect(await waiting()).toBe(10);
  await postgres.comeBack();
  await eventually(waiting).toBe(0);
  expect(await rowsOf(payments)).toEqual([10, 10]);
  expect(await end(drain, 'SIGTERM')).toEqual({ code: 0, signal: null });
  await postgres.goAway();
}, 60_000);

test('a Redis that is killed and started again has kept every entry', async () => {
  const payments = await accept(50);
  const drain = await start({ DATABASE_URL: 'postgresql://nobody:secret@127.0.0.1:1/nowhere' });
  await eventually(() => drain.lines.some(({ event }) => event === 'drain_failed')).toBe(true);
  const pid = Number.parseInt(readFileSync(`${options.dataDir}.pid`, 'utf8'), 10);
  process.kill(pid, 'SIGKILL');
  await server.stop();
  redis.destroy();
  await end(drain, 'SIGKILL');
  server = await startRedis(options);
  await connect();
  expect(await waiting()).toBe(50);
  const other = await start();
  await eventually(waiting).toBe(0);
  expect(await rowsOf(payments)).toEqual([50, 50]);
  expect(await end(other, 'SIGTERM')).toEqual({ code: 0, signal: null });
}, 60_000);

test('drains killed at any moment while payments keep coming lose nothing and record nothing twice', async () => {
  const random = seeded(seed).next;
  const stop = new AbortController();
  const payments: NewPayment[] = [];
  const accepting = (async () => {
    while (!stop.signal.aborted) {
      payments.push(...(await accept(1 + Math.floor(random() * 20))));
      await sleep(10);
    }
  })();
  for (let kill = 0; kill < kills; kill++) {
    while (drains.size < 2) await start({ DRAIN_BATCH_SIZE: '10' });
    const victims = [...drains];
    const victim = victims[Math.floor(random() * victims.length)] as ContainerProcess;
    await eventually(() => victim.lines).toContainEqual(started);
    await sleep(random() * 600);
    expect(await end(victim, 'SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
  }
  stop.abort();
  await accepting;
  await start();
  await eventually(waiting).toBe(0);
  expect(payments.length).toBeGreaterThan(100);
  expect(await rowsOf(payments)).toEqual([payments.length, payments.length]);
  expect(await owner.query('select from payment_service.buried_arrivals')).toEqual([]);
}, 120_000);
