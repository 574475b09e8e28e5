import { beforeAll, expect, test } from 'vitest';
import { askedBy } from '../audit/asker.ts';
import { entriesOf } from '../audit/testing.ts';
import type { TransactionalDatabase } from '../database.ts';
import { useProjections } from '../read/testing.ts';
import type { Caller } from '../staff/caller.ts';
import type { Permission } from '../staff/permissions.ts';
import type { Reach } from '../staff/roles.ts';
import { readView, readViews } from './read-views.ts';
import { changeView, removeView, saveView } from './save-view.ts';
import type { View, ViewContent } from './view.ts';

const world = useProjections();
let asked: TransactionalDatabase;
beforeAll(() => {
  asked = askedBy(world.api, { actor: 'user:ada' });
});

const person = (
  username: string,
  { team = 'north', ...others }: { team?: string; share?: Reach; grants?: Permission[] } = {},
) => {
  const { share, grants = ['payments:read', 'customers:read'] } = others;
  const held = new Map<Permission, Reach>(grants.map((permission) => [permission, 'all']));
  if (share) held.set('views:share', share);
  return { kind: 'user', actor: `user:${username}`, team, grants: held } as unknown as Caller;
};
const content = (name: string, more: Partial<ViewContent> = {}): ViewContent => ({
  name,
  list: 'payments',
  query: { channel: 'counter' },
  sharedWith: 'nobody',
  ...more,
});
async function save(by: Caller, name: string, more: Partial<ViewContent> = {}): Promise<View> {
  const saved = await saveView(asked, by, content(name, more));
  if (!saved.ok) throw new Error(saved.refusal.kind);
  return saved.value;
}
async function namesFor(by: Caller, more: { limit?: number; after?: string | undefined } = {}) {
  const read = await readViews(world.api, by, { limit: 50, ...more });
  if (!read.ok) throw new Error(read.refusal);
  return { names: read.value.rows.map(({ name }) => name), next: read.value.next };
}

test('everybody sees their own, and what is shared with everybody or their team, of lists they may read', async () => {
  const [ada, lead] = [person('ada', { share: 'team' }), person('lead', { share: 'all' })];
  await save(ada, 'mine');
  await save(ada, 'ours', { sharedWith: 'team', list: 'delinquent' });
  await save(lead, 'for all', { sharedWith: 'everybody' });
  expect((await namesFor(ada)).names).toEqual(['for all', 'mine', 'ours']);
  expect((await namesFor(person('bo'))).names).toEqual(['for all', 'ours']);
  expect((await namesFor(person('cy', { team: 'south' }))).names).toEqual(['for all']);
  expect((await namesFor(person('di', { grants: ['customers:read'] }))).names).toEqual(['ours']);
  const first = await namesFor(ada, { limit: 2 });
  expect(first.names).toEqual(['for all', 'mine']);
  expect(await namesFor(ada, { limit: 2, after: first.next })).toEqual({ names: ['ours'], next: undefined });
});

test('sharing needs the permission, as far as its reach, and a list that one may read', async () => {
  const sharing = { ok: false, refusal: { kind: 'sharing' } };
  const shared = (by: Caller, sharedWith: ViewContent['sharedWith']) =>
    saveView(asked, by, content('x', { sharedWith }));
  expect(await shared(person('ed'), 'team')).toEqual(sharing);
  expect(await shared(person('ed', { share: 'own' }), 'team')).toEqual(sharing);
  expect(await shared(person('ed', { share: 'team' }), 'everybody')).toEqual(sharing);
  const list = await saveView(asked, person('ed', { grants: ['customers:read'] }), content('x'));
  expect(list).toEqual({ ok: false, refusal: { kind: 'unknown_list' } });
});

test('a name is the owner’s once, however many save it at once', async () => {
  const many = await Promise.all([1, 2, 3].map(() => saveView(asked, person('flo'), content('late'))));
  expect(many.filter(({ ok }) => ok)).toHaveLength(1);
  for (const one of many.filter(({ ok }) => !ok))
    expect(one).toMatchObject({ refusal: { kind: 'name_taken' } });
  await save(person('gus'), 'late');
  const other = await save(person('flo'), 'later');
  const renamed = await changeView(asked, person('flo'), { id: other.id, version: 1 }, content('late'));
  expect(renamed).toEqual({ ok: false, refusal: { kind: 'name_taken' } });
});

test('of two changes from one version the second is shown what is there; others change nothing', async () => {
  const hal = person('hal', { share: 'all' });
  const view = await save(hal, 'first', { sharedWith: 'everybody' });
  const place = { id: view.id, version: 1 };
  const wanted = content('second', { query: { from: '2026-01-01' }, sharedWith: 'everybody' });
  const changed = await changeView(asked, hal, place, wanted);
  expect(changed).toMatchObject({ ok: true, value: { version: 2, ...wanted } });
  const present = await readView(world.api, hal, view.id);
  const late = { ok: false, refusal: { kind: 'changed_meanwhile', present } };
  expect(await changeView(asked, hal, place, content('third'))).toEqual(late);
  expect(await removeView(asked, hal, place)).toEqual(late);
  const unknown = { ok: false, refusal: { kind: 'unknown_view' } };
  const now = { id: view.id, version: 2 };
  expect(await changeView(asked, person('ida', { share: 'all' }), now, content('hers'))).toEqual(unknown);
  expect(await removeView(asked, person('ida', { share: 'team' }), now)).toEqual(unknown);
  expect(await removeView(asked, person('ida', { share: 'all' }), now)).toMatchObject({ ok: true });
  expect(await readView(world.api, hal, view.id)).toBeUndefined();
});

test('one that nobody shares is nobody else’s to see or remove', async () => {
  const view = await save(person('jo'), 'private');
  const admin = person('root', { share: 'all' });
  expect(await readView(world.api, admin, view.id)).toBeUndefined();
  expect(await removeView(asked, admin, { id: view.id, version: 1 })).toMatchObject({
    refusal: { kind: 'unknown_view' },
  });
});

test('somebody has a hundred at most, and what is saved is in the audit trail without its values', async () => {
  await world.owner.query(
    `insert into views.views (owner, name, list, query) select 'user:kim', n, 'payments', '{}' from generate_series(1, 100) n`,
  );
  const more = await saveView(asked, person('kim'), content('one more'));
  expect(more).toEqual({ ok: false, refusal: { kind: 'limit_reached' } });
  const view = await save(person('lou'), 'kept', { query: { phone: '555' } });
  const entry = (await entriesOf(world.owner, 'view.created', 1))[0];
  expect(entry).toMatchObject({
    actor: 'user:ada',
    subject_id: view.id,
    after: { owner: 'user:lou', query: '***' },
  });
});
