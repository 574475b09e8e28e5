import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { readDeadLetter, readDeadLetters } from '../read/dead-letters.ts';
import { type Fields, readEnvelope } from '../stream/envelope.ts';
import { buryEvents } from './bury-events.ts';
import { countWaiting } from './count-waiting.ts';
import { decidedAtOnce, type NewDeadLetter } from './dead-letter.ts';
import { discardDeadLetters } from './discard-dead-letters.ts';
import { removeOldDeadLetters } from './remove-old-letters.ts';
import { replayDeadLetters } from './replay-dead-letters.ts';

let database: TestDatabase;
let owner: Pool;
let projector: Pool;
let api: Pool;
let ingest: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 4, applicationName: 'test', timeoutMs: 20_000 });
  owner = open(database.url);
  projector = open(database.urlFor('recoup_projector'));
  api = open(database.urlFor('recoup_api'));
  ingest = open(database.urlFor('recoup_ingest'));
});
beforeEach(() => owner.query('truncate servicing.dead_letters, servicing.inbox'));
afterAll(async () => {
  await Promise.all([owner, projector, api, ingest].map((pool) => pool.close()));
  await database.drop();
});

let entries = 0;
const letter = (over: Partial<NewDeadLetter> = {}): NewDeadLetter => ({
  source: 'inbox:billie-servicing',
  entryId: `${++entries}-0`,
  eventId: `event-${entries}`,
  type: 'account.created.v1',
  fields: { typ: 'account.created.v1', payload: '{"account_id":"A-1"}' },
  reason: 'it names no account',
  stack: null,
  ...over,
});
async function bury(over: Partial<NewDeadLetter> = {}): Promise<string> {
  const one = letter(over);
  await buryEvents(projector, [one]);
  const [row] = await owner.query<{ id: string }>(
    'select id from servicing.dead_letters where source = $1 and entry_id = $2',
    [one.source, one.entryId],
  );
  return row?.id as string;
}
const actor = 'key:clerk';
const replay = (...ids: string[]) => replayDeadLetters(api, { ids }, { actor });
const discard = (...ids: string[]) => discardDeadLetters(api, { ids }, { reason: 'a test event', actor });
const inbox = () =>
  owner.query<{ source: string; fields: object }>(
    'select source, fields, event_id, payload_hash from servicing.inbox order by position',
  );
const waiting = async () => (await readDeadLetters(api, { status: 'waiting' }, undefined, 100)).rows;

test('an entry that is buried again while it waits is one letter, with the reason of now', async () => {
  const one = letter({ stack: 'Error: first' });
  const other = letter();
  await buryEvents(projector, [one, other]);
  await buryEvents(projector, [{ ...one, reason: 'still', stack: 'Error: second', fields: { other: 'x' } }]);
  const [row, ...more] = (await waiting()).filter(({ entryId }) => entryId === one.entryId);
  expect([row?.reason, more]).toEqual(['still', []]);
  expect(await readDeadLetter(api, row?.id as string)).toMatchObject({
    fields: one.fields,
    stack: 'Error: second',
  });
  expect(await waiting()).toHaveLength(2);
});

test('of an entry that is twice in one burial the last reason counts, and no letters is no letter', async () => {
  const one = letter();
  await buryEvents(projector, [one, letter(), { ...one, reason: 'the last' }]);
  await buryEvents(projector, []);
  expect((await waiting()).map(({ reason }) => reason).sort()).toEqual(['it names no account', 'the last']);
});

test('what Postgres cannot keep in a text is replaced', async () => {
  const id = await bury({
    eventId: null,
    type: null,
    fields: { 'a\u0000': 'b\u0000', c: '\ud800' },
    reason: 'NUL \u0000',
    stack: '\udc00',
  });
  expect(await readDeadLetter(api, id)).toMatchObject({
    eventId: null,
    type: null,
    fields: { 'a\uFFFD': 'b\uFFFD', c: '\uFFFD' },
    reason: 'NUL \uFFFD',
    stack: '\uFFFD',
  });
});

test('burying is part of the transaction in which it happens', async () => {
  const undone = projector.transaction(async (inside) => {
    await buryEvents(inside, [letter()]);
    throw new Error('undone');
  });
  await expect(undone).rejects.toThrow('undone');
  expect(await waiting()).toEqual([]);
});

test('a replayed letter is in the inbox once, without an event id, and says who had it replayed', async () => {
  const id = await bury();
  expect(await replay(id)).toEqual({ decided: 1, refused: [], left: 0 });
  const fields = { typ: 'account.created.v1', payload: '{"account_id":"A-1"}' };
  const there = [{ source: `dead-letter:${id}`, fields, event_id: null, payload_hash: null }];
  expect(await inbox()).toEqual(there);
  expect(await readDeadLetter(api, id)).toMatchObject({
    status: 'replayed',
    decidedBy: actor,
    decidedReason: null,
    decidedAt: expect.stringMatching(/^20\d\d-/),
  });
  expect(await replay(id)).toEqual({ decided: 0, refused: [{ id, status: 'replayed' }], left: 0 });
  expect(await discard(id)).toEqual({ decided: 0, refused: [{ id, status: 'replayed' }], left: 0 });
  expect(await inbox()).toEqual(there);
});

test('a discarded letter says why and by whom, and is not replayed any more', async () => {
  const id = await bury();
  expect(await discard(id)).toEqual({ decided: 1, refused: [], left: 0 });
  expect(await readDeadLetter(api, id)).toMatchObject({
    status: 'discarded',
    decidedBy: actor,
    decidedReason: 'a test event',
  });
  expect(await replay(id)).toEqual({ decided: 0, refused: [{ id, status: 'discarded' }], left: 0 });
  expect(await inbox()).toEqual([]);
});

test('an entry that is buried again after it was decided stays decided', async () => {
  const one = letter();
  const id = await bury(one);
  await discard(id);
  await buryEvents(projector, [{ ...one, reason: 'again' }]);
  expect(await readDeadLetter(api, id)).toMatchObject({
    status: 'discarded',
    reason: 'it names no account',
  });
});

test('of several ids those that wait are replayed, the others are told, and each is counted once', async () => {
  const [first, second, gone] = [await bury(), await bury(), await bury()] as [string, string, string];
  await discard(gone);
  const unknown = '00000000-0000-4000-8000-000000000000';
  expect(await replay(first, gone, unknown, second, second.toUpperCase())).toEqual({
    decided: 2,
    refused: [
      { id: gone, status: 'discarded' },
      { id: unknown, status: null },
    ],
    left: 0,
  });
  expect((await inbox()).map(({ source }) => source)).toEqual([
    `dead-letter:${first}`,
    `dead-letter:${second}`,
  ]);
});

test('two versions of one event can both be replayed', async () => {
  const ids = [
    await bury({ eventId: 'E-1', fields: { event_id: 'E-1', v: '1' } }),
    await bury({ eventId: 'E-1', fields: { event_id: 'E-1', v: '2' } }),
  ];
  expect((await replay(...ids)).decided).toBe(2);
  expect(await inbox()).toHaveLength(2);
});

test('a replayed event is the same event, with or without an id of its own', async () => {
  const sent: Fields[] = [
    { typ: 'account.created.v1', seq: '1', cause: 'c', conv: 'C-1', payload: '{"b":10.10,"a":"\u00e9"}' },
    { msg_type: 'x', id: 'E-7', timestamp: '2026-11-24T08:00:00Z', zebra: '1', alpha: '2' },
  ];
  for (const fields of sent) {
    await replay(await bury({ fields }));
    const [row] = await owner.query<{ fields: Fields }>(
      'select fields from servicing.inbox order by position desc limit 1',
    );
    const before = readEnvelope(fields, 'UTC');
    expect(before.ok).toBe(true);
    expect(readEnvelope(row?.fields as Fields, 'UTC')).toEqual(before);
  }
});

test('of many who decide about the same letters at once, each letter has one', async () => {
  const ids: string[] = [];
  for (let n = 0; n < 20; n++) ids.push(await bury());
  const answers = await Promise.all([
    replay(...ids),
    replay(...ids.toReversed()),
    discard(...ids),
    replayDeadLetters(api, { filter: {} }, { actor }),
  ]);
  expect(answers.reduce((sum, { decided }) => sum + decided, 0)).toBe(20);
  const [counts] = await owner.query(
    `select (select count(*) from servicing.dead_letters where status = 'replayed')::int as replayed,
            (select count(*) from servicing.inbox)::int as inbox`,
  );
  expect(counts).toMatchObject({ inbox: (counts as { replayed: number }).replayed });
  expect(await waiting()).toEqual([]);
});

test('a filter replays what matches all of it, the oldest first, bounded, and tells what is left', async () => {
  const kinds: Array<Partial<NewDeadLetter>> = [
    { entryId: 'a', reason: 'no account: A-1' },
    { entryId: 'b', reason: 'no account: A-2' },
    { entryId: 'c', reason: 'no account: A-3' },
    { entryId: 'd', reason: 'another reason' },
    { entryId: 'e', reason: 'no account: A-5', type: null },
    { entryId: 'f', reason: 'no account: A-6', source: 'inbox' },
  ];
  await buryEvents(projector, kinds.map(letter));
  await owner.query(
    `update servicing.dead_letters set buried_at = timestamptz '2026-11-01' - make_interval(days => ascii(entry_id))`,
  );
  const filter = { type: 'account.created.v1', source: 'inbox:billie-servicing', reasonPrefix: 'no account' };
  const replayed = (limit?: number, over: object = {}) =>
    replayDeadLetters(api, { filter: { ...filter, ...over } }, { actor, ...(limit && { limit }) });
  const left = async () => (await waiting()).map(({ entryId }) => entryId);
  expect(await replayed(undefined, { buriedBefore: new Date('2026-01-01') })).toMatchObject({ decided: 0 });
  expect(await replayed(2)).toEqual({ decided: 2, refused: [], left: 1 });
  expect(await left()).toEqual(['a', 'd', 'e', 'f']);
  expect(await replayed(2)).toEqual({ decided: 1, refused: [], left: 0 });
  expect(await left()).toEqual(['d', 'e', 'f']);
  const old = { filter: { buriedBefore: new Date('2026-07-24T00:00:00Z') } };
  expect(await discardDeadLetters(api, old, { reason: 'too old', actor })).toMatchObject({
    decided: 2,
    left: 0,
  });
  expect(await left()).toEqual(['d']);
  expect(await replayDeadLetters(api, { filter: {} }, { actor })).toMatchObject({ decided: 1, left: 0 });
});

test('a prefix is taken as it is written', async () => {
  await bury({ reason: 'abc' });
  const by = (reasonPrefix: string) =>
    replayDeadLetters(api, { filter: { reasonPrefix } }, { actor, limit: 1 });
  expect((await by('%')).decided + (await by('a_')).decided).toBe(0);
  expect((await by('ab')).decided).toBe(1);
});

test('more ids than one call may decide, or what is no UUID, is a bug of the caller', () => {
  expect(() => replay(...Array(decidedAtOnce + 1).fill(crypto.randomUUID()))).toThrow(/at most 500/);
  expect(() => discard('7')).toThrow(/UUID/);
});

test('those that wait are counted by source', async () => {
  await bury();
  await bury();
  const id = await bury({ source: 'inbox' });
  await discard(await bury());
  expect(await countWaiting(projector)).toEqual({ 'inbox:billie-servicing': 2, inbox: 1 });
  await replay(id);
  expect(await countWaiting(api)).toEqual({ 'inbox:billie-servicing': 2 });
});

test('a list is paged newest first, narrowed, and has nothing of what an event says', async () => {
  for (let n = 0; n < 5; n++) await bury({ type: n === 4 ? null : 'account.created.v1' });
  // All at one instant: the id breaks the tie.
  await owner.query(`update servicing.dead_letters set buried_at = '2026-11-01T10:00:00.123456Z'`);
  const filter = { status: 'waiting', type: 'account.created.v1' } as const;
  const first = await readDeadLetters(api, filter, undefined, 3);
  const second = await readDeadLetters(api, filter, first.next, 3);
  expect([first.rows.length, second.rows.length, second.next]).toEqual([3, 1, undefined]);
  const ids = [...first.rows, ...second.rows].map(({ id }) => id);
  expect(ids).toEqual([...new Set(ids)].sort().reverse());
  expect(Object.keys(first.rows[0] ?? {})).toEqual([
    ...['id', 'status', 'source', 'entryId', 'eventId', 'type', 'reason', 'buriedAt'],
    ...['decidedBy', 'decidedReason', 'decidedAt'],
  ]);
  expect((await readDeadLetters(api, { status: 'replayed' }, undefined, 3)).rows).toEqual([]);
});

test('decided letters go after 90 days, in bounded pieces; those that wait stay for good', async () => {
  for (let n = 0; n < 3; n++) await discard(await bury());
  await replay(await bury());
  const waits = await bury();
  await owner.query(
    `update servicing.dead_letters set buried_at = '2020-01-01',
       decided_at = case status when 'discarded' then now() - interval '91 days' when 'replayed' then now() - interval '89 days' end`,
  );
  expect(await removeOldDeadLetters(ingest, 2)).toBe(2);
  expect(await removeOldDeadLetters(ingest, 2)).toBe(1);
  expect(await removeOldDeadLetters(ingest, 2)).toBe(0);
  const rows = await owner.query('select status from servicing.dead_letters order by status');
  expect(rows).toEqual([{ status: 'replayed' }, { status: 'waiting' }]);
  expect((await waiting()).map(({ id }) => id)).toEqual([waits]);
});

test('each role may do its own part and no more', async () => {
  const id = await bury();
  const denied = { sqlState: '42501' };
  for (const [role, statement] of [
    [projector, `update servicing.dead_letters set status = 'discarded'`],
    [projector, 'delete from servicing.dead_letters'],
    [projector, `select * from servicing.decide_dead_letters('{}', 'replayed', null, 'x')`],
    [projector, 'select servicing.remove_old_dead_letters(1)'],
    [api, `update servicing.dead_letters set reason = 'x'`],
    [api, `insert into servicing.inbox (fields, source) values ('{}', 'x')`],
    [api, 'select servicing.remove_old_dead_letters(1)'],
    [ingest, 'select from servicing.dead_letters'],
    [
      ingest,
      `select * from servicing.decide_matching_dead_letters(null, null, null, null, 1, 'replayed', null, 'x')`,
    ],
  ] as Array<[Pool, string]>)
    await expect(role.query(statement), statement).rejects.toMatchObject(denied);
  expect(await readDeadLetter(api, id)).toMatchObject({ status: 'waiting' });
});
