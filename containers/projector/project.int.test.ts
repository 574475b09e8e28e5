// The lane over a real Redis and a real Postgres, each behind a door that can be shut.

import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { replayDeadLetters } from '../../shared/dead-letters/replay-dead-letters.ts';
import { createLog } from '../../shared/log.ts';
import { rules } from '../../shared/servicing/testing.ts';
import { readEnvelope } from '../../shared/stream/envelope.ts';
import { keepEvents } from '../../shared/stream/keep-events.ts';
import { createTestDatabase, createTestRedis, type TestDatabase } from '../../test/database.ts';
import { seeded } from '../../test/seeded.ts';
import { openPool, type Pool } from '../database.ts';
import { type Cuttable, cuttable } from '../publisher/testing.ts';
import { openDeadLetterStream } from './dead-letter-stream.ts';
import { openInboxSource } from './inbox-source.ts';
import { type Lane, projecting } from './project.ts';
import { openRedisSource } from './redis-source.ts';
import type { Source } from './source.ts';
import { createTally } from './tally.ts';
import { openVault } from './vault.ts';

const stream = 'inbox:billie-servicing';
const letterStream = 'dlq:billie-servicing';
const group = 'billie-servicing-processor';
const vault = openVault([{ name: 'test', key: new Uint8Array(32).fill(7) }]);

let database: TestDatabase;
let owner: Pool;
let db: Pool;
let api: Pool;
let redisUrl: string;
let redis: ReturnType<typeof createClient>;
let postgresDoor: Cuttable;
let redisDoor: Cuttable;
let lettersDoor: Cuttable;
let logged: Array<Record<string, unknown>>;
const closing: Array<() => Promise<unknown>> = [];

beforeAll(async () => {
  database = await createTestDatabase();
  postgresDoor = await cuttable(Number(new URL(database.url).port));
  const pool = { min: 0, max: 8, applicationName: 'test', timeoutMs: 10_000 };
  owner = openPool({ ...pool, url: database.url });
  api = openPool({ ...pool, url: database.urlFor('recoup_api') });
  db = openPool({ ...pool, url: behind(postgresDoor, database.urlFor('recoup_projector')) });
  ({ url: redisUrl } = await createTestRedis());
  redisDoor = await cuttable(Number(new URL(redisUrl).port));
  lettersDoor = await cuttable(Number(new URL(redisUrl).port));
  redis = createClient({ url: redisUrl });
  await redis.connect();
});
const behind = (door: Cuttable, url: string) =>
  Object.assign(new URL(url), { hostname: '127.0.0.1', port: String(door.port) }).href;

beforeEach(async () => {
  logged = [];
  await redis.flushDb();
  await owner.query(`
    truncate servicing.events, servicing.event_ids, servicing.subject_keys, servicing.dead_letters, servicing.inbox,
      servicing.fold_attempts, servicing.loan_accounts, servicing.loan_borrowers, servicing.identifiers;
    alter table servicing.loan_accounts drop constraint if exists nothing_poisonous;
    drop trigger if exists few_at_once on servicing.event_ids;
    drop trigger if exists slow on servicing.loan_accounts`);
});
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});
afterAll(async () => {
  redis.destroy();
  await Promise.all([db.close(), api.close()]);
  await Promise.all([postgresDoor, redisDoor, lettersDoor].map((door) => door.cut()));
  await owner.close();
  await database.drop();
});

/** From here on, Postgres refuses an account that reads perfectly well. */
const refusePoison = () =>
  owner.query(`alter table servicing.loan_accounts
    add constraint nothing_poisonous check (account_number is distinct from 'POISON')`);

type Fields = Record<string, string>;
const created = (id: string, more: Record<string, unknown> = {}): Fields => ({
  typ: 'account.created.v1',
  id,
  payload: JSON.stringify({
    account_id: `A-${id}`,
    account_number: `N-${id}`,
    customer_id: `C-${id}`,
    status: 'ACTIVE',
    ...more,
  }),
});
const poison = (id = 'poison') => created(id, { account_number: 'POISON' });
const many = (count: number, prefix = 'e') =>
  Array.from({ length: count }, (_, n) => created(`${prefix}${n}`));
const unreadable: Fields = { typ: 'account.created.v1', id: 'broken', payload: '{"account_id":' };
const append = async (...entries: Fields[]) => {
  const ids: string[] = [];
  for (let at = 0; at < entries.length; at += 1_000)
    ids.push(
      ...(await Promise.all(entries.slice(at, at + 1_000).map((entry) => redis.xAdd(stream, '*', entry)))),
    );
  return ids;
};

function openLane({ source, ...more }: Partial<Lane> = {}) {
  const reader =
    source ??
    openRedisSource({
      url: behind(redisDoor, redisUrl),
      inboxes: [stream],
      logs: [],
      group,
      consumer: 'one',
      claimAfterMs: 60_000,
      blockMs: 50,
    });
  const letters = openDeadLetterStream(behind(lettersDoor, redisUrl), letterStream);
  const tally = createTally();
  const close = () => Promise.all([reader.close(), letters.close()]);
  closing.push(close);
  const lane = projecting({
    db,
    source: reader,
    deadLetterStream: letters,
    tools: { vault, rules },
    batchSize: 500,
    tally,
    log: createLog('debug', {}, (line) => logged.push(JSON.parse(line))),
    ...more,
  });
  const faults: unknown[] = [];
  /** As the loop does it, until it holds. */
  const until = async (holds: () => Promise<boolean> | boolean, limitMs = 40_000) => {
    for (const deadline = Date.now() + limitMs; !(await holds()); ) {
      if (Date.now() > deadline) throw new Error(`it never came to hold: ${holds}`);
      await lane.step().catch((error) => {
        faults.push(error);
        return sleep(50);
      });
    }
  };
  return { ...lane, until, tally, faults, close };
}
const openInbox = (): Source => openInboxSource(db, 60_000);

const pending = async () => (await redis.xPending(stream, group)).pending;
const isSettled = async () => {
  const [state] = await redis.xInfoGroups(stream);
  return state?.lag === 0 && state.pending === 0;
};
const count = async (table: string) => {
  const [row] = await owner.query<{ rows: number }>(`select count(*)::int as rows from servicing.${table}`);
  return row?.rows;
};
const letters = () =>
  owner.query<Record<string, unknown>>(
    `select id, source, entry_id, event_id, type, fields, reason, stack, status from servicing.dead_letters
     order by buried_at, entry_id`,
  );
const streamed = async () =>
  ((await redis.xRange(letterStream, '-', '+')) ?? []).map(({ message }) => message);
const attempts = () =>
  owner.query<{ attempts: number }>('select attempts from servicing.fold_attempts order by entry_id');

test('events are folded and settled, and what comes again changes nothing', async () => {
  const entries = many(120);
  await append(...entries, ...entries.slice(0, 30));
  const lane = openLane();
  await lane.until(isSettled);
  expect([await count('events'), await count('loan_accounts')]).toEqual([120, 120]);
  expect(lane.tally.totals()).toMatchObject({
    events_folded_total: 120,
    events_duplicates_total: 30,
    events_buried_total: 0,
  });
  expect(lane.faults).toEqual([]);
});

test('what cannot be read is buried at once, whole, and its batch goes on', async () => {
  const [, entryId] = await append(created('before'), unreadable, created('after'));
  const lane = openLane();
  expect(await lane.step()).toBe(3);
  expect(await isSettled()).toBe(true);
  expect(await count('events')).toBe(2);
  const [letter, ...others] = await letters();
  expect(others).toEqual([]);
  expect(letter).toMatchObject({
    source: stream,
    entry_id: entryId,
    fields: unreadable,
    reason: 'its payload is not JSON',
    status: 'waiting',
  });
  expect(await streamed()).toEqual([
    expect.objectContaining({ source: stream, entry_id: entryId, fields: JSON.stringify(unreadable) }),
  ]);
  expect(await attempts()).toEqual([]);
});

test('a fault of ours while reading buries that event alone, with the stack', async () => {
  await append(created('plain'), created('amounts', { loan_amount: '5.00' }));
  const broken = {
    ...rules,
    get currency(): string {
      throw new TypeError('no currency here');
    },
  };
  await openLane({ tools: { vault, rules: broken } }).step();
  expect(await isSettled()).toBe(true);
  expect(await count('events')).toBe(1);
  expect(await letters()).toMatchObject([
    { event_id: 'amounts', reason: 'TypeError: no currency here', stack: expect.stringContaining('at ') },
  ]);
});

test('of 10,000 events one is poison and one more cannot be read: 9,999 are folded once, the two are buried', async () => {
  await refusePoison();
  const entries = many(9_999);
  const ids = await append(...entries.slice(0, 6_000), poison(), unreadable, ...entries.slice(6_000));
  const lane = openLane();
  const startedAt = performance.now();
  await lane.until(isSettled, 100_000);
  expect([await count('events'), await count('event_ids'), await count('loan_accounts')]).toEqual([
    9_999, 9_999, 9_999,
  ]);
  expect(lane.tally.totals()).toMatchObject({
    events_folded_total: 9_999,
    events_duplicates_total: 0,
    events_buried_total: 2,
  });
  expect(lane.faults).toEqual([]);
  const buried = await letters();
  expect(buried).toHaveLength(2);
  expect(buried.find(({ event_id }) => event_id === 'poison')).toMatchObject({
    source: stream,
    entry_id: ids[6_000],
    type: 'account.created.v1',
    fields: poison(),
    reason: 'DatabaseFault: the database answered SQLSTATE 23514',
    stack: expect.stringContaining('foldBatch'),
    status: 'waiting',
  });
  expect((await streamed()).map(({ entry_id }) => entry_id).toSorted()).toEqual([ids[6_000], ids[6_001]]);
  const tries = logged.filter(({ event }) => event === 'event_failed');
  expect(tries.map((line) => line.attempts)).toEqual([1, 2, 3]);
  // After a second, and after five more.
  expect(performance.now() - startedAt).toBeGreaterThan(5_500);
  expect(await attempts()).toEqual([]);
}, 120_000);

test('a batch that is too much for the database is folded in parts, and is no fault of an event', async () => {
  await owner.query(`
    create or replace function servicing.refuse_many() returns trigger language plpgsql as $$
    begin
      if (select count(*) > 3 from added) then raise exception using errcode = '53200'; end if;
      return null;
    end $$;
    create trigger few_at_once after insert on servicing.event_ids referencing new table as added
      for each statement execute function servicing.refuse_many()`);
  await append(...many(40));
  const lane = openLane();
  await lane.until(isSettled);
  expect(await count('events')).toBe(40);
  expect([await letters(), await attempts(), lane.faults]).toEqual([[], [], []]);
});

/** The projector's, whose statements may take no longer than this. */
const impatient = (timeoutMs: number) => {
  const pool = openPool({
    url: database.urlFor('recoup_projector'),
    min: 0,
    max: 2,
    applicationName: 'test',
    timeoutMs,
  });
  closing.push(pool.close);
  return pool;
};

test('an event that always takes the database too long is buried, and takes no other along', async () => {
  await owner.query(`
    create or replace function servicing.take_long() returns trigger language plpgsql as $$
    begin
      if new.account_number = 'SLOW' then perform pg_sleep(30); end if;
      return new;
    end $$;
    create trigger slow before insert on servicing.loan_accounts for each row execute function servicing.take_long()`);
  await append(...many(12), created('slow', { account_number: 'SLOW' }), ...many(12, 'f'));
  const lane = openLane({ db: impatient(1_000) });
  await lane.until(isSettled);
  expect(await count('events')).toBe(24);
  expect(await letters()).toMatchObject([{ event_id: 'slow', reason: expect.stringContaining('57014') }]);
  expect([await attempts(), lane.faults]).toEqual([[], []]);
});

test('waiting for an aggregate that somebody else holds for long is no fault of an event', async () => {
  await append(created('held'));
  const lane = openLane({ db: impatient(500) });
  const free = Promise.withResolvers<void>();
  const holder = owner.transaction(async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtextextended('servicing account:A-held', 0))`);
    await free.promise;
  });
  await lane.until(() => lane.faults.length >= 4);
  free.resolve();
  await holder;
  await lane.until(isSettled);
  expect([await count('events'), await attempts(), await letters()]).toEqual([1, [], []]);
});

test('a process that starts again goes on counting the attempts', async () => {
  await refusePoison();
  await append(poison(), created('good'));
  for (const attempt of [1, 2]) {
    const lane = openLane();
    await lane.step();
    expect(await attempts()).toEqual([{ attempts: attempt }]);
    expect(await letters()).toEqual([]);
    await lane.close();
  }
  await openLane().step();
  expect(await letters()).toMatchObject([{ event_id: 'poison' }]);
  expect(await attempts()).toEqual([]);
  expect(await isSettled()).toBe(true);
  expect(await count('events')).toBe(1);
});

test('an event that can be folded the second time leaves no trace of the first', async () => {
  await refusePoison();
  await append(poison());
  const lane = openLane();
  await lane.step();
  expect(await attempts()).toHaveLength(1);
  await owner.query('alter table servicing.loan_accounts drop constraint nothing_poisonous');
  await lane.until(isSettled);
  expect([await attempts(), await letters()]).toEqual([[], []]);
  expect(await count('loan_accounts')).toBe(1);
});

test('a process that lacks a master key waits for it, and no event is at fault', async () => {
  await append(created('known'));
  const before = openLane();
  await before.until(isSettled);
  await append(created('later', { customer_id: 'C-known' }));
  const keyless = openVault([{ name: 'another', key: new Uint8Array(32).fill(9) }]);
  const lacking = openLane({ tools: { vault: keyless, rules } });
  await lacking.until(() => lacking.faults.length === 3);
  expect(lacking.faults[0]).toMatchObject({ name: 'MasterKeyFault' });
  expect([await attempts(), await letters()]).toEqual([[], []]);
  await before.until(isSettled);
  expect(await count('events')).toBe(2);
});

test('another event under a known id is buried, in the same batch and in a later one', async () => {
  const first = created('same', { status: 'ACTIVE' });
  const other = created('same', { status: 'SUSPENDED' });
  await append(first, other);
  const lane = openLane();
  await lane.step();
  await append(other, first);
  await lane.until(isSettled);
  const reason = 'another event has this id';
  expect(await letters()).toMatchObject([
    { event_id: 'same', reason, fields: other },
    { event_id: 'same', reason, fields: other },
  ]);
  expect(await streamed()).toHaveLength(2);
  expect(await owner.query('select status from servicing.loan_accounts')).toEqual([{ status: 'active' }]);
  expect(await attempts()).toEqual([]);
});

test.each([
  ['Postgres', () => postgresDoor],
  ['Redis', () => redisDoor],
])(
  'while %s is away again and again, no attempt is used up, and afterwards everything is folded once',
  async (_, door) => {
    const chance = seeded(20_261_124);
    const entries = many(2_000);
    await append(...entries);
    const lane = openLane({ batchSize: 50 });
    const cutting = (async () => {
      for (let n = 0; n < 6; n++) {
        await sleep(chance.between(50, 250));
        await door().cut();
        await sleep(chance.between(100, 300));
        await door().mend();
      }
      await append(...many(10, 'late'));
    })();
    let isOver = false;
    cutting.finally(() => {
      isOver = true;
    });
    await lane.until(async () => isOver && (await isSettled()));
    await cutting;
    expect(lane.faults.length).toBeGreaterThan(0);
    expect([await count('events'), await count('event_ids'), await count('loan_accounts')]).toEqual([
      2_010, 2_010, 2_010,
    ]);
    expect([await attempts(), await letters()]).toEqual([[], []]);
    expect(logged.filter(({ event }) => event === 'event_failed')).toEqual([]);
  },
  60_000,
);

test('while the stream of dead letters is away, letters wait in Postgres, nothing else waits, and none is lost', async () => {
  await refusePoison();
  await lettersDoor.cut();
  await append(created('same'), unreadable, created('same', { status: 'CLOSED' }), poison(), ...many(50));
  const lane = openLane();
  try {
    await lane.until(async () => (await letters()).length === 3);
    await append(...many(50, 'later'));
    await lane.until(async () => (await count('events')) === 101);
    expect(lane.faults).toEqual([]);
    expect(await pending()).toBe(3);
    expect(lane.tally.totals().events_buried_total).toBe(0);
  } finally {
    await lettersDoor.mend();
  }
  await lane.until(isSettled);
  expect(lane.faults).toEqual([]);
  const reasons = [
    'DatabaseFault: the database answered SQLSTATE 23514',
    'another event has this id',
    'its payload is not JSON',
  ];
  expect((await letters()).map(({ reason }) => reason).toSorted()).toEqual(reasons);
  expect((await streamed()).map(({ reason }) => reason).toSorted()).toEqual(reasons);
  expect(lane.tally.totals()).toMatchObject({ events_folded_total: 101, events_buried_total: 3 });
  expect(await attempts()).toEqual([]);
}, 60_000);

test('a dead letter that is replayed after the mending is folded, once', async () => {
  await refusePoison();
  const [entryId] = await append(poison());
  const lane = openLane();
  await lane.until(isSettled);
  const [letter] = await letters();
  expect(await count('events')).toBe(0);

  const inbox = openLane({ source: openInbox() });
  const replay = () => replayDeadLetters(api, { ids: [letter?.id as string] }, { actor: 'key:clerk' });
  expect(await replay()).toMatchObject({ decided: 1 });
  await inbox.until(async () => (await count('inbox')) === 0);
  // Too early: it has become another letter, of the inbox.
  const [, again] = await letters();
  expect(again).toMatchObject({ source: 'inbox', event_id: 'poison', fields: poison(), status: 'waiting' });

  await owner.query('alter table servicing.loan_accounts drop constraint nothing_poisonous');
  await replayDeadLetters(api, { filter: { reasonPrefix: 'DatabaseFault' } }, { actor: 'key:clerk' });
  await append(poison());
  await Promise.all([inbox.until(async () => (await count('inbox')) === 0), lane.until(isSettled)]);
  expect([await count('events'), await count('loan_accounts')]).toEqual([1, 1]);
  expect((await letters()).map(({ status }) => status)).toEqual(['replayed', 'replayed']);
  expect((await streamed()).map(({ source, entry_id }) => [source, entry_id])).toEqual([
    [stream, entryId],
    ['inbox', again?.entry_id],
  ]);
}, 60_000);

test('events that come over the inbox and over Redis at once are folded once', async () => {
  const entries = many(400);
  const kept = entries.map((fields) => {
    const read = readEnvelope(fields, rules.timeZone);
    if (!read.ok) throw new Error(read.refusal);
    return { id: read.value.id, payloadHash: read.value.payloadHash, fields };
  });
  await keepEvents(owner, kept, 'http');
  await append(...entries.toReversed());
  const byRedis = openLane({ batchSize: 30 });
  const byInbox = openLane({ source: openInbox(), batchSize: 30 });
  await Promise.all([byRedis.until(isSettled), byInbox.until(async () => (await count('inbox')) === 0)]);
  expect([await count('events'), await count('event_ids'), await count('loan_accounts')]).toEqual([
    400, 400, 400,
  ]);
  const totals = [byRedis, byInbox].map(({ tally }) => tally.totals());
  const sum = (name: keyof (typeof totals)[0]) => totals.reduce((all, one) => all + one[name], 0);
  expect([sum('events_folded_total'), sum('events_duplicates_total'), sum('events_conflicts_total')]).toEqual(
    [400, 400, 0],
  );
  expect([byRedis.faults, byInbox.faults]).toEqual([[], []]);
});
