import { beforeAll, expect, test } from 'vitest';
import { askedBy } from '../audit/asker.ts';
import { entriesOf } from '../audit/testing.ts';
import type { TransactionalDatabase } from '../database.ts';
import { readCustomer } from '../read/customer.ts';
import { readNote, readNotes } from '../read/notes.ts';
import { useProjections } from '../read/testing.ts';
import { eraseCustomer } from '../servicing/erase-customer.ts';
import { event, tools } from '../servicing/testing.ts';
import type { Person } from '../staff/caller.ts';
import type { Reach } from '../staff/roles.ts';
import { changeNote } from './change-note.ts';
import type { Note } from './note.ts';
import { writeNote } from './write-note.ts';

const world = useProjections();
let asked: TransactionalDatabase;

beforeAll(async () => {
  asked = askedBy(world.api, { actor: 'user:ada' });
  const made = ['C1', 'C2', 'C3'].map((customer_id) =>
    event('customer.created.v1', { customer_id, cif: `CIF-${customer_id}`, first_name: 'Ana' }),
  );
  await world.fold(...made);
  await world.owner.query(
    `insert into staff.users (username, display_name, team, created_by)
     values ('ada', 'Ada', 'north', 'test'), ('bo', 'Bo', 'north', 'test'), ('cy', 'Cy', 'south', 'test')`,
  );
});

const write = async (customer: string, text: string, { actor = 'user:ada', pinned = false } = {}) => {
  const written = await writeNote(asked, { customer, text, pinned, actor }, undefined);
  if (!written.ok) throw new Error(written.refusal);
  return written.value.note;
};
const caller = (username: string, reach: Reach = 'all', team = 'north') =>
  ({
    kind: 'user',
    actor: `user:${username}`,
    team,
    grants: new Map([['notes:write', reach]]),
  }) as unknown as Person;
const textsOf = (note: Note | undefined) => note?.texts.map(({ text }) => text);
async function list(customer: string, limit = 50, after?: string) {
  const read = await readNotes(world.api, customer, { limit, after });
  if (!read.ok) throw new Error(read.refusal);
  return { texts: read.value.rows.map((note) => note.texts[0]?.text), next: read.value.next };
}

test('what is amended stands after what was written, which stays', async () => {
  const note = await write('CIF-C1', 'will pay on Friday');
  expect(note).toEqual({
    id: expect.any(String),
    customerId: 'C1',
    pinned: false,
    version: 1,
    texts: [{ text: 'will pay on Friday', writtenBy: 'user:ada', writtenAt: note.createdAt }],
    createdBy: 'user:ada',
    createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    changedAt: note.createdAt,
  });
  const amended = await changeNote(asked, caller('bo'), { id: note.id, version: 1, text: 'did not' });
  expect(amended).toMatchObject({ ok: true, value: { version: 2 } });
  const read = await readNote(world.api, note.id);
  expect(read).toMatchObject({ texts: [{ writtenBy: 'user:ada' }, { writtenBy: 'user:bo' }] });
  expect(textsOf(read)).toEqual(['will pay on Friday', 'did not']);
});

test('of two who change the same version one does, and the other gets what is there now', async () => {
  const note = await write('C1', 'two editors');
  const both = await Promise.all([
    changeNote(asked, caller('ada'), { id: note.id, version: 1, text: 'one' }),
    changeNote(asked, caller('bo'), { id: note.id, version: 1, pinned: true }),
  ]);
  const [first, second] = both.toSorted((a, b) => Number(b.ok) - Number(a.ok));
  const made = first?.ok ? first.value : undefined;
  expect(made?.version).toBe(2);
  expect(second).toEqual({ ok: false, refusal: { kind: 'changed_meanwhile', present: made } });
});

test('pinning what is pinned is no change', async () => {
  const note = await write('C1', 'pinned', { pinned: true });
  const again = await changeNote(asked, caller('ada'), { id: note.id, version: 1, pinned: true });
  expect(again).toMatchObject({ ok: true, value: { version: 1, pinned: true } });
});

test('whose notes somebody may change is the reach of their permission', async () => {
  const { id } = await write('C1', 'of ada');
  const unknown = { ok: false, refusal: { kind: 'unknown_note' } };
  const pin = (by: Person) => changeNote(asked, by, { id, version: 1, pinned: false });
  expect(await pin(caller('bo', 'own'))).toEqual(unknown);
  expect(await pin(caller('cy', 'team', 'south'))).toEqual(unknown);
  expect(await pin(caller('bo', 'team'))).toMatchObject({ ok: true });
  expect(await pin(caller('ada', 'own'))).toMatchObject({ ok: true });
  expect(await pin({ ...caller('bo'), grants: new Map() })).toEqual(unknown);
});

test('the pinned ones come first, then the newest, page by page', async () => {
  await world.fold(event('customer.created.v1', { customer_id: 'P1', first_name: 'Ana' }));
  const texts = ['a', 'b', 'c', 'd'];
  for (const text of texts) await write('P1', text, { pinned: text === 'b' });
  const first = await list('P1', 2);
  expect(first.texts).toEqual(['b', 'd']);
  const second = await list('P1', 2, first.next);
  expect(second).toEqual({ texts: ['c', 'a'], next: undefined });
  for (const text of ['e', 'f']) await write('P1', text);
  const view = await readCustomer(world.api, 'P1', '2026-11-29');
  expect(view?.notes.map((note) => textsOf(note))).toEqual([['b'], ['f'], ['e'], ['d'], ['c']]);
  expect(await readNotes(world.api, 'P1', { limit: 2, after: 'x' })).toMatchObject({ ok: false });
  expect(await readNotes(world.api, 'nobody', { limit: 2 })).toMatchObject({ refusal: 'unknown_customer' });
});

test('a note comes to a hundred texts at most', async () => {
  const { id } = await write('C1', 'long');
  await world.owner.query(
    `insert into notes.texts (note_id, number, text, written_by) select $1, n, 'more', 'x' from generate_series(2, 100) n`,
    [id],
  );
  const refused = { ok: false, refusal: { kind: 'limit_reached' } };
  expect(await changeNote(asked, caller('ada'), { id, version: 1, text: 'one more' })).toEqual(refused);
});

test('under a key a note is written once, whoever asks at the same time, and the key keeps nothing it says', async () => {
  const note = { customer: 'C2', text: 'she keeps bees', pinned: false, actor: 'user:ada' };
  const key = { actor: 'user:ada', key: 'note-1', request: 'abc' };
  const all = await Promise.all([1, 2, 3].map(() => writeNote(asked, note, key)));
  const ids = all.map((one) => one.ok && one.value.note.id);
  expect(new Set(ids).size).toBe(1);
  expect(all.filter((one) => one.ok && one.value.repeated)).toHaveLength(2);
  expect((await list('C2')).texts).toEqual(['she keeps bees']);
  const other = await writeNote(asked, note, { ...key, request: 'def' });
  expect(other).toEqual({ ok: false, refusal: 'key_reused' });
  const kept = await world.owner.query('select to_jsonb(k)::text as row from operations.idempotency_keys k');
  expect(JSON.stringify(kept)).not.toContain('bees');
});

test('notes about somebody who was several customers are the survivor’s', async () => {
  await world.fold(
    event('customer.created.v1', { customer_id: 'M1', first_name: 'Ana' }),
    event('customer.created.v1', { customer_id: 'M2', first_name: 'Ana' }),
  );
  const early = await write('M1', 'before');
  await world.fold(
    event('customer.identity.merged.v1', { surviving_customer_id: 'M2', merged_customer_id: 'M1' }),
  );
  await write('M1', 'after');
  for (const name of ['M1', 'M2']) expect((await list(name)).texts).toEqual(['after', 'before']);
  expect(await readNote(world.api, early.id)).toMatchObject({ customerId: 'M2' });
});

const erase = (customerId: string) =>
  eraseCustomer(world.owner, { customerId, reason: 'asked to', requestedBy: 'mary' }, tools);

test('erasing a customer deletes what was written about them; the trail tells that there was something', async () => {
  const note = await write('C3', 'her dog is ill', { pinned: true });
  await changeNote(asked, caller('ada'), { id: note.id, version: 1, text: 'her dog has died' });
  expect(await erase('CIF-C3')).toMatchObject({ ok: false });
  expect(await erase('C3')).toMatchObject({ ok: true, value: { notes: 1 } });
  expect(await readNote(world.api, note.id)).toBeUndefined();
  expect(await world.owner.query('select from notes.texts where note_id = $1', [note.id])).toEqual([]);
  const trail = (await entriesOf(world.owner, 'note')).filter(({ subject_id }) => subject_id === note.id);
  expect(trail.map(({ action, after, before }) => [action, after ?? before])).toEqual([
    ['note.created', { customer_id: 'C3', pinned: true }],
    ['note_text.created', { number: 1, text: '***' }],
    ['note_text.created', { number: 2, text: '***' }],
    ['note.removed', { customer_id: 'C3', pinned: true }],
    ['note_text.removed', { number: 1, text: '***' }],
    ['note_text.removed', { number: 2, text: '***' }],
  ]);
  const written = await writeNote(
    asked,
    { customer: 'C3', text: 'x', pinned: false, actor: 'user:ada' },
    undefined,
  );
  expect(written).toEqual({ ok: false, refusal: 'customer_erased' });
});

test('a note that is being written while its customer is erased goes as well', async () => {
  await world.fold(event('customer.created.v1', { customer_id: 'R1', first_name: 'Ana' }));
  const note = { customer: 'R1', text: 'just now', pinned: false, actor: 'user:ada' };
  let erasing: ReturnType<typeof erase> | undefined;
  await world.api.transaction(async (tx) => {
    await writeNote(tx, note, undefined);
    erasing = erase('R1');
    await new Promise((resolve) => setTimeout(resolve, 100));
  });
  expect(await erasing).toMatchObject({ ok: true, value: { notes: 1 } });
  expect(await world.owner.query(`select from notes.notes where customer_id = 'R1'`)).toEqual([]);
});
