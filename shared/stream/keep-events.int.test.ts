import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { uuidOf } from '../id.ts';
import { keepEvents } from './keep-events.ts';
import type { NewEvent } from './new-event.ts';

let database: TestDatabase;
let owner: Pool;
let webhooks: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 6, applicationName: 'test', timeoutMs: 10_000 });
  owner = open(database.url);
  webhooks = open(database.urlFor('recoup_webhooks'));
});
afterAll(async () => {
  await webhooks.close();
  await owner.close();
  await database.drop();
});

const space = crypto.randomUUID();
const event = (content = 'a', id: string = crypto.randomUUID()): NewEvent => ({
  id,
  payloadHash: uuidOf(space, content),
  fields: { event_type: 'x', id, payload: JSON.stringify({ content }) },
});
const keep = (...events: NewEvent[]) => keepEvents(webhooks, events, 'http:test');
const waiting = async ({ id }: NewEvent) =>
  (await owner.query('select 1 from servicing.inbox where event_id = $1', [id])).length;

/** Does it to the event's row in a transaction that a repetition meets half-way, and answers what became of that. */
async function meeting(known: NewEvent, again: NewEvent, statement: string) {
  let answer: Promise<string[]> | undefined;
  await owner.transaction(async (tx) => {
    await tx.query(statement, [known.id]);
    answer = keep(again);
    await sleep(300);
  });
  return answer;
}
const fold = `with folded as (delete from servicing.inbox where event_id = $1 returning event_id, payload_hash)
  insert into servicing.event_ids (event_id, payload_hash) select * from folded`;
const bury = 'delete from servicing.inbox where event_id = $1';

test('no events are no round trip', async () => {
  const database = { query: () => Promise.reject(new Error('asked')), arrays: async () => [] };
  expect(await keepEvents(database, [], 'http:test')).toEqual([]);
});

test('answers follow the order given, and the first of an id in a batch is the one that counts', async () => {
  const [a, b] = [event('a', `z-${crypto.randomUUID()}`), event('b', `a-${crypto.randomUUID()}`)];
  expect(await keep(a, event('other', b.id), a, b, event('c', a.id))).toEqual([
    'accepted',
    'accepted',
    'duplicate',
    'conflict',
    'conflict',
  ]);
  const rows = await owner.query('select payload_hash from servicing.inbox where event_id = $1', [b.id]);
  expect(rows).toEqual([{ payload_hash: uuidOf(space, 'other') }]);
});

test('one whose earlier delivery is being folded is a duplicate, and does not wait in the inbox again', async () => {
  const known = event();
  await keep(known);
  expect(await meeting(known, known, fold)).toEqual(['duplicate']);
  expect(await waiting(known)).toBe(0);
});

test('other content under an id that is being folded is a conflict, and is not kept', async () => {
  const known = event();
  await keep(known);
  expect(await meeting(known, event('b', known.id), fold)).toEqual(['conflict']);
  expect(await waiting(known)).toBe(0);
});

test('one whose earlier delivery has been buried is accepted anew', async () => {
  const known = event();
  await keep(known);
  expect(await meeting(known, known, bury)).toEqual(['accepted']);
  expect(await waiting(known)).toBe(1);
});

test('batches in opposite orders that meet half-way wait for each other and keep every event once', async () => {
  const [first, middle, last] = ['a', 'b', 'c'].map((letter) => event(letter, `${letter}-${space}`)) as [
    NewEvent,
    NewEvent,
    NewEvent,
  ];
  let answers: Promise<string[][]> | undefined;
  await owner.transaction(async (tx) => {
    await keepEvents(tx, [middle], 'http:test');
    answers = Promise.all([keep(first, middle, last), keep(last, middle, first)]);
    // Both have begun, and neither can pass the one in the middle.
    await sleep(300);
  });
  const all = (await answers)?.flat() ?? [];
  expect(all.toSorted()).toEqual(['accepted', 'accepted', ...Array(4).fill('duplicate')]);
});
