import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import type { Database, TransactionalDatabase } from '../database.ts';
import { type EventLog, TooLargeFault } from './event-log.ts';
import type { OutboxMessage, Undeliverable } from './message.ts';
import { relayBatch } from './relay.ts';
import { firstAppearances, insert, message } from './testing.ts';

let database: TestDatabase;
/** Writes the outbox as its owner; the relay has no more rights than the publisher. */
let owner: Pool;
let db: Pool;

const pool = (url: string) =>
  openPool({ url, min: 0, max: 8, applicationName: 'relay-test', timeoutMs: 5_000 });

beforeAll(async () => {
  database = await createTestDatabase();
  owner = pool(database.url);
  db = pool(database.urlFor('recoup_publisher'));
});
beforeEach(() => owner.query('truncate outbox.messages, outbox.undeliverable'));
afterAll(async () => {
  await Promise.all([owner.close(), db.close()]);
  await database.drop();
});

/** A log in memory. `before` and `after` run around each append. */
function memoryLog(before = async () => {}, after = async () => {}) {
  const appended: OutboxMessage[] = [];
  const log: EventLog = {
    async append(messages) {
      await before();
      appended.push(...messages);
      await after();
    },
    check: async () => {},
    close: async () => {},
  };
  return { log, appended, ids: () => appended.map((m) => m.eventId) };
}

const pending = async () => {
  const rows = await owner.query<{ event_id: string }>(
    'select event_id from outbox.messages order by position',
  );
  return rows.map((row) => row.event_id);
};
/** Of batches that the log takes. */
const relay = async (log: EventLog, limit = 100, over: TransactionalDatabase = db) => {
  const { setAside, ...relayed } = await relayBatch(over, 'log', log, limit);
  expect(setAside).toEqual([]);
  return relayed;
};
const some = (count: number, key = 'loan') => Array.from({ length: count }, (_, n) => message(key, n));
/** As payments write them: one message for each topic, of a few keys. */
const paired = (count: number) =>
  Array.from({ length: count }, (_, n) => [
    message(`loan-${n % 7}`, n),
    message(`loan-${n % 7}`, n, {}, 'payment.lifecycle'),
  ]).flat();
const idsOf = (messages: readonly OutboxMessage[]) => messages.map((m) => m.eventId);

test('messages are sent in the order of their positions, a bounded batch at a time, and are gone afterwards', async () => {
  const messages = some(25);
  await insert(owner, messages);
  const { log, ids } = memoryLog();
  expect(await relay(log, 10)).toEqual({ sent: 10, standingBy: false });
  expect(ids()).toEqual(idsOf(messages.slice(0, 10)));
  expect(await pending()).toEqual(idsOf(messages.slice(10)));
  await relay(log, 10);
  expect(await relay(log, 10)).toEqual({ sent: 5, standingBy: false });
  expect(await relay(log, 10)).toEqual({ sent: 0, standingBy: false });
  expect(ids()).toEqual(idsOf(messages));
  expect(await pending()).toEqual([]);
});

test('what is sent is the row: topic, key, event id and the exact payload', async () => {
  const payload = '{"amount" : 10.000000000000000001, "text": "é \u{1F4B8} \\u0000"}';
  const given = { ...message('key é', 1), topic: 'some.topic', payload };
  await insert(owner, [given]);
  const { log, appended } = memoryLog();
  await relay(log);
  expect(appended).toEqual([{ ...given, position: expect.stringMatching(/^\d+$/) }]);
});

test('the messages of other destinations are left alone', async () => {
  await insert(owner, some(1));
  await owner.query("update outbox.messages set destination = 'ledger'");
  const { log, appended } = memoryLog();
  expect(await relay(log)).toEqual({ sent: 0, standingBy: false });
  expect(appended).toEqual([]);
  expect(await pending()).toHaveLength(1);
});

test('a batch is bounded in bytes too, and a message larger than the bound goes alone', async () => {
  const sized = (n: number, kilobytes: number) =>
    message('loan', n, { filler: 'x'.repeat(kilobytes * 1024) });
  const sizes = [200, 200, 200, 900, 10, 10];
  await insert(
    owner,
    sizes.map((size, n) => sized(n, size)),
  );
  const { log, appended } = memoryLog();
  const batches: number[] = [];
  for (let sent = 1; sent > 0; ) {
    ({ sent } = await relay(log));
    batches.push(sent);
  }
  expect(batches).toEqual([2, 1, 1, 2, 0]);
  expect(appended.map((m) => JSON.parse(m.payload).n)).toEqual([0, 1, 2, 3, 4, 5]);
});

test('a slow transaction with a lower position is late, not skipped', async () => {
  const slow = new pg.Client({ connectionString: database.url });
  await slow.connect();
  const [low, high] = [message('slow', 1), message('fast', 1)];
  const { log, ids } = memoryLog();
  try {
    await slow.query('begin');
    await insert(
      { query: async (text: string, params: unknown[]) => (await slow.query(text, params)).rows } as never,
      [low],
    );
    await insert(owner, [high]);
    await relay(log);
    expect(ids()).toEqual([high.eventId]);
    expect(await relay(log)).toEqual({ sent: 0, standingBy: false });
    await slow.query('commit');
    await relay(log);
    expect(ids()).toEqual([high.eventId, low.eventId]);
    expect(await pending()).toEqual([]);
  } finally {
    await slow.end();
  }
});

test('a message that is written while a batch is being sent is sent by the next one', async () => {
  const [first, second] = [message('a', 1), message('a', 2)];
  await insert(owner, [first]);
  const { log, ids } = memoryLog(() => insert(owner, [second]));
  await relay(log);
  expect(ids()).toEqual([first.eventId]);
  expect(await pending()).toEqual([second.eventId]);
});

test('while one relay has the destination another stands by, at once', async () => {
  await insert(owner, some(3));
  const { promise: confirmed, resolve: confirm } = Promise.withResolvers<void>();
  const { promise: sending, resolve: started } = Promise.withResolvers<void>();
  const slow = memoryLog(async () => {
    started();
    await confirmed;
  });
  const other = memoryLog();
  const first = relay(slow.log);
  await sending;
  expect(await relay(other.log)).toEqual({ sent: 0, standingBy: true });
  confirm();
  expect(await first).toEqual({ sent: 3, standingBy: false });
  expect(other.appended).toEqual([]);
  expect(await relay(other.log)).toEqual({ sent: 0, standingBy: false });
});

test('two relays at once send nothing twice and keep the order of every key', async () => {
  const { log, appended } = memoryLog(() => sleep(Math.random() * 3));
  const keys = ['a', 'b', 'c'];
  const total = 300;
  let inserted = 0;
  const writing = (async () => {
    for (; inserted < total; inserted++)
      await insert(
        owner,
        keys.map((key) => message(key, inserted)),
      );
  })();
  let finished = false;
  const draining = Array.from({ length: 2 }, async () => {
    while (!finished) {
      await relay(log, 7);
      finished ||= inserted === total && (await pending()).length === 0;
    }
  });
  await Promise.all([writing, ...draining]);
  expect(appended).toHaveLength(total * keys.length);
  const inOrder = Array.from({ length: total }, (_, n) => n);
  expect(firstAppearances(appended)).toEqual({ a: inOrder, b: inOrder, c: inOrder });
});

/** The database as it is, except that it fails right before or right after the nth statement of the relay. */
function failing(when: 'before' | 'after', statement: number): TransactionalDatabase {
  let count = 0;
  const counted = (on: Database): Database => ({
    async query(text, params) {
      count += 1;
      const now = count === statement;
      if (now && when === 'before') throw new Error('crash');
      const rows = await on.query(text, params);
      if (now && when === 'after') throw new Error('crash');
      return rows as never;
    },
    arrays: (text, params) => on.arrays(text, params),
  });
  return { ...counted(db), transaction: (work) => db.transaction((tx) => work(counted(tx))) };
}

const crashes: Array<[string, () => { over?: TransactionalDatabase; log?: ReturnType<typeof memoryLog> }]> = [
  ['before it asks for the lock', () => ({ over: failing('before', 2) })],
  ['between the lock and the taking', () => ({ over: failing('after', 2) })],
  ['between the taking and the append', () => ({ over: failing('after', 3) })],
  ['while it appends', () => ({ log: memoryLog(() => Promise.reject(new Error('crash'))) })],
  [
    'between the append and the commit',
    () => ({ log: memoryLog(undefined, () => Promise.reject(new Error('crash'))) }),
  ],
];

test.each(crashes)('a crash %s loses nothing: the next relay sends the same events', async (_, crash) => {
  const messages = paired(500);
  await insert(owner, messages);
  const { over, log = memoryLog() } = crash();
  await expect(relay(log.log, 900, over)).rejects.toThrow('crash');
  expect(await pending()).toEqual(idsOf(messages));

  const next = memoryLog();
  expect(await relay(next.log, 900)).toEqual({ sent: 900, standingBy: false });
  expect(await relay(next.log, 900)).toEqual({ sent: 100, standingBy: false });
  expect(next.ids()).toEqual(idsOf(messages));
  expect(await pending()).toEqual([]);
});

test('messages of two topics keep their order per key in each of them', async () => {
  const messages = paired(30);
  await insert(owner, messages);
  const { log, appended } = memoryLog();
  while ((await relay(log, 7)).sent > 0);
  for (const topic of ['payment.events', 'payment.lifecycle']) {
    const byKey = firstAppearances(appended.filter((m) => m.topic === topic));
    expect(Object.keys(byKey)).toHaveLength(7);
    for (const ns of Object.values(byKey)) expect(ns).toEqual(ns.toSorted((a, b) => a - b));
  }
});

test('a relay whose connection dies while the log confirms loses the lock and deletes nothing', async () => {
  const messages = some(3);
  await insert(owner, messages);
  const cut = memoryLog(undefined, async () => {
    const rows = await owner.query(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity
       where datname = current_database() and usename = 'recoup_publisher' and state = 'idle in transaction'`,
    );
    expect(rows).toHaveLength(1);
  });
  await expect(relay(cut.log)).rejects.toMatchObject({ name: 'DatabaseFault', retryable: true });
  expect(cut.ids()).toEqual(idsOf(messages));
  const next = memoryLog();
  expect(await relay(next.log)).toEqual({ sent: 3, standingBy: false });
  expect(next.ids()).toEqual(idsOf(messages));
});

/** A log that takes no append whose payloads have more than `maxBytes` together. */
function narrowLog(maxBytes: number, after?: () => Promise<void>) {
  const inner = memoryLog(undefined, after);
  let refusals = 0;
  const append: EventLog['append'] = async (messages) => {
    if (messages.reduce((sum, m) => sum + m.payload.length, 0) > maxBytes) {
      refusals += 1;
      throw new TooLargeFault('more than it takes');
    }
    await inner.log.append(messages);
  };
  return { ...inner, log: { ...inner.log, append }, refusals: () => refusals };
}
const undeliverable = () =>
  owner.query('select topic, key, event_id, payload, reason from outbox.undeliverable order by position');

test('a message that the log never takes is set aside whole, and the others go on in their order', async () => {
  const messages = paired(10);
  const poison = [4, 5, 17].map((at) => {
    messages[at] = { ...(messages[at] as OutboxMessage), payload: JSON.stringify('x'.repeat(10_000)) };
    return messages[at];
  });
  await insert(owner, messages);
  const { log, ids } = narrowLog(5_000);
  const setAside = poison.map(({ eventId }) => ({ eventId, reason: 'more than it takes' }));
  expect(await relayBatch(db, 'log', log, 100)).toEqual({ sent: 17, setAside, standingBy: false });
  expect(ids()).toEqual(idsOf(messages.filter((m) => !poison.includes(m))));
  expect(await pending()).toEqual([]);
  expect(await undeliverable()).toEqual(
    poison.map(({ topic, key, eventId, payload }) => ({
      topic,
      key,
      event_id: eventId,
      payload,
      reason: 'more than it takes',
    })),
  );
});

test('a batch that is too large only as a whole is sent in parts, and nothing is set aside', async () => {
  const messages = some(50);
  await insert(owner, messages);
  const { log, ids, refusals } = narrowLog(1_000);
  expect(await relay(log)).toEqual({ sent: 50, standingBy: false });
  expect(refusals()).toBeGreaterThanOrEqual(3);
  expect(ids()).toEqual(idsOf(messages));
});

test('a crash after a message was set aside brings it back with the others', async () => {
  const [first, poison, last] = some(3) as [OutboxMessage, OutboxMessage, OutboxMessage];
  poison.payload = JSON.stringify('x'.repeat(10_000));
  await insert(owner, [first, poison, last]);
  let appends = 0;
  const { log, ids } = narrowLog(5_000, async () => {
    appends += 1;
    if (appends === 2) throw new Error('crash');
  });
  await expect(relayBatch(db, 'log', log, 100)).rejects.toThrow('crash');
  expect(ids()).toEqual(idsOf([first, last]));
  expect(await pending()).toEqual(idsOf([first, poison, last]));
  expect(await undeliverable()).toEqual([]);
});

test('a message that could not even be read is set aside unread', async () => {
  const [first, huge, last] = some(3) as [OutboxMessage, OutboxMessage, OutboxMessage];
  await insert(owner, [first, huge, last]);
  await owner.query(
    "update outbox.messages set payload = repeat('x', 16 * 1024 * 1024 + 1) where event_id = $1",
    [huge.eventId],
  );
  const { log, ids } = memoryLog();
  const setAside: Undeliverable[] = [];
  while ((await pending()).length > 0) setAside.push(...(await relayBatch(db, 'log', log, 100)).setAside);
  expect(setAside).toEqual([{ eventId: huge.eventId, reason: 'the payload has more than 16777216 bytes' }]);
  expect(ids()).toEqual(idsOf([first, last]));
  expect(await undeliverable()).toMatchObject([{ event_id: huge.eventId }]);
});

test('the publisher can set aside, and neither change nor remove what it has set aside', async () => {
  await expect(db.query('delete from outbox.undeliverable')).rejects.toMatchObject({ sqlState: '42501' });
  await expect(db.query("update outbox.undeliverable set reason = ''")).rejects.toMatchObject({
    sqlState: '42501',
  });
});
