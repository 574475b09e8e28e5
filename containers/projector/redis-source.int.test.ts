import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { startRedis } from '../../dev/servers/redis.ts';
import { createTestRedis } from '../../test/database.ts';
import { type Cuttable, cuttable } from '../publisher/testing.ts';
import { openDeadLetterStream } from './dead-letter-stream.ts';
import { openRedisSource, type RedisSourceOptions } from './redis-source.ts';
import type { Delivery, Source } from './source.ts';

const group = 'billie-servicing-processor';
const inbox = 'inbox:billie-servicing';
const internal = 'inbox:billie-servicing:internal';
const log = 'payment.events';
const claimAfterMs = 400;

let url: string;
let door: Cuttable;
let redis: ReturnType<typeof createClient>;
const open = new Set<Source>();

beforeAll(async () => {
  ({ url } = await createTestRedis());
  door = await cuttable(Number(new URL(url).port));
  redis = createClient({ url });
  await redis.connect();
});
beforeEach(() => redis.flushDb());
afterEach(async () => {
  await Promise.all([...open].map((source) => source.close()));
  open.clear();
});
afterAll(async () => {
  redis.destroy();
  await door.cut();
});

function reader(consumer: string, more: Partial<RedisSourceOptions> = {}): Source {
  const behindDoor = Object.assign(new URL(url), { port: String(door.port) }).href;
  const source = openRedisSource({
    url: behindDoor,
    inboxes: [inbox, internal],
    logs: [log],
    group,
    consumer,
    claimAfterMs,
    blockMs: 50,
    ...more,
  });
  open.add(source);
  return source;
}
const nothingHeld = () => false;
const next = (source: Source, limit = 100) => source.next(limit, nothingHeld);
const append = (n: string | number, stream = inbox) => redis.xAdd(stream, '*', { typ: 'x', n: String(n) });
const appendMany = async (count: number, stream = inbox) => {
  for (let n = 0; n < count; n++) await append(n, stream);
};
const told = (deliveries: readonly Delivery[]) => deliveries.map(({ fields }) => fields?.n);
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, n) => String(from + n));
const stateOf = async (source: Source, stream = inbox) =>
  (await source.state()).find((state) => state.source === stream);

test('what was there before the group is delivered, in order and whole, and settled it never comes again', async () => {
  await appendMany(5);
  const source = reader('one');
  const found = await next(source);
  expect(told(found)).toEqual(numbers(5));
  expect(found[0]).toMatchObject({ source: inbox, fields: { typ: 'x', n: '0' } });
  await source.settle(found);
  await source.settle(found);
  expect(await next(source)).toEqual([]);
});

test('a field of any name is the own field of a plain object', async () => {
  const id = '5-1';
  await redis.sendCommand(['XADD', inbox, id, '__proto__', 'p', 'constructor', 'c', 'ä', '\u{1F4B8}']);
  const [found] = await next(reader('one'));
  expect(Object.entries(found?.fields ?? {})).toEqual([
    ['__proto__', 'p'],
    ['constructor', 'c'],
    ['ä', '\u{1F4B8}'],
  ]);
  expect(Object.getPrototypeOf(found?.fields)).toBe(Object.prototype);
});

test('all streams are read, and never more than the limit together', async () => {
  for (const stream of [inbox, internal, log]) await appendMany(40, stream);
  const source = reader('one');
  const seen: Delivery[] = [];
  for (let batch = await next(source, 25); batch.length > 0; batch = await next(source, 25)) {
    expect(batch.length).toBeLessThanOrEqual(25);
    await source.settle(batch);
    seen.push(...batch);
  }
  for (const stream of [inbox, internal, log])
    expect(told(seen.filter(({ source }) => source === stream))).toEqual(numbers(40));
});

test('what is not settled comes again, before anything new and also after a restart under the same name', async () => {
  await appendMany(3);
  const source = reader('one');
  const [first] = await next(source);
  await append('new');
  expect(told(await next(source))).toEqual(numbers(3));
  await source.settle([first as Delivery]);
  await source.close();
  const again = reader('one');
  expect(told(await next(again))).toEqual(['1', '2']);
});

test('held entries are passed by, however many there are, and come when they are held no more', async () => {
  await appendMany(25);
  const source = reader('one');
  expect(await next(source, 25)).toHaveLength(25);
  const held = ({ fields }: Delivery) => Number(fields?.n) < 23;
  expect(told(await source.next(5, held))).toEqual(['23', '24']);
  await append('new', internal);
  await source.settle(await source.next(5, held));
  expect(told(await source.next(5, held))).toEqual(['new']);
  expect(told(await next(source, 5))).toEqual(numbers(5));
});

test('entries of our own that are held for long are not taken for stale ones', async () => {
  await appendMany(2);
  const source = reader('one');
  await next(source);
  await sleep(claimAfterMs + 50);
  await append('new');
  expect(told(await source.next(5, ({ fields }) => fields?.n !== 'new'))).toEqual(['new']);
});

test('what a dead reader left is taken over once it was quiet for long, before anything new', async () => {
  await appendMany(3);
  await appendMany(2, internal);
  const [dead, alive] = [reader('dead'), reader('alive')];
  expect(await next(dead)).toHaveLength(5);
  expect(await next(alive)).toEqual([]);
  await sleep(claimAfterMs + 50);
  await append('new');
  const found: Delivery[] = [];
  for (let i = 0; i < 4 && found.length < 5; i++) {
    const batch = await next(alive, 4);
    await alive.settle(batch);
    found.push(...batch);
  }
  expect(told(found)).toEqual(expect.arrayContaining(['0', '1', '2', '0', '1']));
  expect(told(found)).not.toContain('new');
  expect(told(await next(alive))).toEqual(['new']);
});

test('several readers share the work', async () => {
  await appendMany(30);
  const [one, two] = [reader('one'), reader('two')];
  const [a, b] = [await next(one, 10), await next(two, 100)];
  expect([...told(a), ...told(b)]).toEqual(numbers(30));
});

test('an entry that somebody deleted while it was pending comes without fields', async () => {
  const id = await append(0);
  const source = reader('one');
  await next(source);
  await redis.xDel(inbox, id);
  const found = await next(source);
  expect(found).toEqual([{ source: inbox, entryId: id, fields: null }]);
  await source.settle(found);
  expect(await next(source)).toEqual([]);
});

test('its state tells how much waits, how much is pending and for how long', async () => {
  const source = reader('one');
  await redis.xAdd(inbox, `${Date.now() - 90_000}-0`, { n: 'old' });
  await appendMany(4);
  expect(await stateOf(source)).toEqual({
    source: inbox,
    waiting: 5,
    pending: 0,
    oldestPendingSeconds: 0,
    kept: 5,
  });
  await next(source, 2);
  const state = await stateOf(source);
  expect(state).toMatchObject({ waiting: 3, pending: 2 });
  expect(state?.oldestPendingSeconds).toBeGreaterThanOrEqual(90);
  expect(state?.oldestPendingSeconds).toBeLessThan(120);
  expect(await stateOf(source, log)).toMatchObject({ waiting: 0, pending: 0 });
});

test('where Redis does not know how far we are behind, what is left is counted', async () => {
  await appendMany(2);
  const source = reader('one', { inboxes: [inbox], logs: [] });
  await source.settle(await next(source, 2));
  await appendMany(1_500);
  const left = (await redis.xRange(inbox, '-', '+'))?.at(700);
  await redis.xDel(inbox, left?.id as string);
  const groups = await redis.xInfoGroups(inbox);
  expect(groups[0]?.lag).toBe(null);
  expect(await stateOf(source)).toMatchObject({ waiting: 1_499 });
});

test('an inbox is trimmed below what is pending or not delivered in any group, and a log is left whole', async () => {
  await appendMany(10);
  await appendMany(3, log);
  await redis.xGroupCreate(inbox, 'slow', '0');
  const source = reader('one');
  const left = async (stream = inbox) =>
    ((await redis.xRange(stream, '-', '+')) ?? []).map(({ message }) => message.n);
  await source.settle(await next(source));

  await source.tend();
  expect(await left()).toEqual(numbers(10));

  const readSlow = async (count: number) =>
    (await redis.xReadGroup('slow', 'reader', { key: inbox, id: '>' }, { COUNT: count })) as Array<{
      messages: Array<{ id: string }>;
    }>;
  const [read] = await readSlow(6);
  await source.tend();
  expect(await left()).toEqual(numbers(10));

  const ids = read?.messages.map(({ id }) => id) ?? [];
  await redis.xAck(inbox, 'slow', [...ids.slice(0, 3), ...ids.slice(4)]);
  await source.tend();
  expect(await left()).toEqual(numbers(7, 3));

  await redis.xAck(inbox, 'slow', ids[3] as string);
  await source.tend();
  expect(await left()).toEqual(numbers(5, 5));

  await readSlow(10);
  await append(10);
  await source.settle(await next(source));
  await source.tend();
  expect(await left()).toEqual(numbers(5, 6));
  expect(await left(log)).toEqual(numbers(3));
  await appendMany(2);
  expect(await stateOf(source)).toMatchObject({ waiting: 2, pending: 0 });
});

test('ids beyond what a double holds are compared digit by digit', async () => {
  for (const id of ['9-18446744073709551614', '9-18446744073709551615', '10-9', '10-10'])
    await redis.xAdd(inbox, id, { n: id });
  const source = reader('one', { inboxes: [inbox], logs: [] });
  const found = await next(source);
  await source.settle([...found.slice(0, 1), ...found.slice(3)]);
  await source.tend();
  expect((await redis.xRange(inbox, '-', '+'))?.map(({ id }) => id)).toEqual([
    '9-18446744073709551615',
    '10-9',
    '10-10',
  ]);
});

test('closing gives the name up, but not while it holds something', async () => {
  await append(0);
  const names = async () => (await redis.xInfoConsumers(inbox, group)).map(({ name }) => name);
  const [holding, empty] = [reader('holding'), reader('empty')];
  await next(holding);
  await next(empty);
  expect((await names()).toSorted()).toEqual(['empty', 'holding']);
  await holding.close();
  await empty.close();
  expect(await names()).toEqual(['holding']);
});

test('a reader that was quiet for a short while is not forgotten', async () => {
  const [one, two] = [reader('one'), reader('two')];
  await next(one);
  await next(two);
  await one.tend();
  expect((await redis.xInfoConsumers(inbox, group)).map(({ name }) => name).toSorted()).toEqual([
    'one',
    'two',
  ]);
});

test('a stream that is deleted, and a Redis that is emptied, are read from the beginning again', async () => {
  const source = reader('one');
  await source.settle(await next(source));
  await redis.flushDb();
  await append('after');
  await expect(next(source)).rejects.toThrow('NOGROUP');
  expect(told(await next(source))).toEqual(['after']);
});

test('a Redis that is away is a fault, nothing is lost, and it is found when it is back', async () => {
  await appendMany(2);
  const source = reader('one');
  const found = await next(source, 1);
  await door.cut();
  try {
    await expect(next(source)).rejects.toThrow();
    await expect(source.settle(found)).rejects.toThrow();
    await expect(source.state()).rejects.toThrow();
    await source.close();
  } finally {
    await door.mend();
  }
  const seen = new Set<string | undefined>();
  await expect
    .poll(async () => {
      const batch = await next(source);
      await source.settle(batch);
      for (const n of told(batch)) seen.add(n);
      return [...seen].toSorted();
    })
    .toEqual(['0', '1']);
});

test('nothing waits when all is read, although Redis has crashed since and says that something does', async () => {
  const dataDir = join(mkdtempSync(join(inject('runFolder'), 'lag-')), 'redis');
  const options = { dataDir, logFile: `${dataDir}.log`, password: 'lag', onLoss: () => {} };
  let server = await startRedis(options);
  const admin = createClient({ url: server.url, RESP: 2 }).on('error', () => {});
  await admin.connect();
  const appended = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => admin.xAdd(inbox, '*', { typ: 'x', n: String(n) })));
  const source = reader('one', { url: server.url });
  try {
    await appended(3);
    await source.settle(await next(source));
    await source.tend();
    await admin.sendCommand(['BGREWRITEAOF']);
    await expect
      .poll(() => admin.info('persistence'), { timeout: 20_000 })
      .toMatch(/aof_rewrite_in_progress:0[\s\S]*aof_rewrite_scheduled:0/);
    await appended(20);
    await source.settle(await next(source));
    process.kill(Number.parseInt(readFileSync(`${dataDir}.pid`, 'utf8'), 10), 'SIGKILL');
    await server.stop();
    admin.destroy();
    server = await startRedis({ ...options, port: server.port });
    await next(source).catch(() => {});
    expect(await next(source)).toEqual([]);
    expect(await stateOf(source)).toMatchObject({ waiting: 0, pending: 0 });
  } finally {
    await source.close();
    open.delete(source);
    await server.stop();
  }
});

test('a dead letter stands in its stream with where it came from, the reason and all fields', async () => {
  const letters = openDeadLetterStream(url, 'dlq:billie-servicing');
  const delivery = { source: inbox, entryId: '1-0', fields: { typ: 'x', payload: '{' } };
  const burial = { reason: 'its payload is not JSON', eventId: undefined, type: 'x' };
  await letters.bury([{ delivery, burial }]);
  await letters.close();
  await letters.close();
  const [entry] = (await redis.xRange('dlq:billie-servicing', '-', '+')) ?? [];
  expect(entry?.message).toEqual({
    source: inbox,
    entry_id: '1-0',
    reason: 'its payload is not JSON',
    event_id: '',
    type: 'x',
    fields: JSON.stringify(delivery.fields),
  });
});
