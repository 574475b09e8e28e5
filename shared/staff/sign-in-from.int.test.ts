import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { askedBy } from '../audit/asker.ts';
import type { TransactionalDatabase } from '../database.ts';
import { createUser } from './create-user.ts';
import { sessionBySecret } from './find-session.ts';
import type { GroupRoles } from './group-roles.ts';
import type { Identity } from './identity.ts';
import { signInFrom } from './sign-in-from.ts';

const issuer = 'https://id.bank.example';
const groupRoles: GroupRoles = new Map([
  ['agents', { name: 'agent', keptHere: false }],
  ['leads', { name: 'supervisor', keptHere: false }],
  ['nights', { name: 'night', keptHere: true }],
  ['nowhere', { name: 'nowhere', keptHere: true }],
]);

let database: TestDatabase;
let owner: Pool;
let pool: Pool;
/** With the rights that the Worker has. */
let auth: TransactionalDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 4, applicationName: 'test', timeoutMs: 10_000 });
  owner = open(database.url);
  pool = open(database.urlFor('recoup_auth'));
  auth = askedBy(pool, { actor: 'anonymous', address: '192.0.2.7', requestId: 'request-0001' });
  await owner.query(`insert into staff.roles (name, description) values ('night', 'At night')`);
});
afterAll(async () => {
  await Promise.all([owner.close(), pool.close()]);
  await database.drop();
});

let people = 0;
function newIdentity(changes: Partial<Identity> = {}): Identity {
  const username = `user-${++people}`;
  const named = { username, name: `User ${people}`, email: `${username}@bank.example` };
  return { source: 'oidc', issuer, subject: `subject-${people}`, ...named, groups: ['agents'], ...changes };
}

const signIn = (identity: Identity, changes: { replaced?: string; kind?: 'client' } = {}) =>
  signInFrom(auth, identity, {
    groupRoles,
    session: {
      ...{ kind: changes.kind ?? ('browser' as const), device: 'test', address: '192.0.2.7' },
      ...{ idleSeconds: 3_600, lifetimeSeconds: 3_600, most: 10 },
    },
    newDeviceHash: null,
    replaced: changes.replaced,
  });

async function secretOf(identity: Identity): Promise<string> {
  const signedIn = await signIn(identity);
  if (!signedIn.ok) throw new Error(signedIn.refusal);
  return signedIn.value.secret;
}

const refused = (reason: string) => ({ ok: false, refusal: reason });
const known = (username: string) =>
  owner.query<{ id: string; version: number }>('select * from staff.users where username = $1', [username]);
const lastEntry = async () =>
  (await owner.query('select * from audit.entries order by id desc limit 1'))[0] as Record<string, unknown>;

const addPerson = async (
  username: string,
  by: Parameters<typeof createUser>[1]['by'],
  roles: string[] = [],
) => {
  const person = {
    username,
    displayName: username,
    email: `${username}@bank.example`,
    team: null,
    roles,
    by,
  };
  const made = await createUser(auth, { ...person, actor: 'user:ada' });
  if (!made.ok) throw new Error(made.refusal);
  return made.value.id;
};

describe('somebody new', () => {
  test('is made known with the roles of their groups, and is in', async () => {
    const identity = newIdentity({
      username: ' Ana.Ruiz@Bank.Example ',
      groups: ['agents', 'leads', 'canteen'],
    });
    const person = await sessionBySecret(owner, await secretOf(identity));
    expect(person).toMatchObject({
      username: 'ana.ruiz@bank.example',
      name: identity.name,
      email: identity.email,
      source: 'oidc',
      roles: ['agent', 'supervisor'],
      mustChangePassword: false,
    });
    const entries = await owner.query<{ action: string; actor: string }>(
      `select action, actor, address from audit.entries where subject_id = 'ana.ruiz@bank.example' order by id`,
    );
    expect(entries).toEqual([
      { action: 'user.created', actor: 'directory:oidc', address: '192.0.2.7' },
      { action: 'user_role.created', actor: 'directory:oidc', address: '192.0.2.7' },
      { action: 'user_role.created', actor: 'directory:oidc', address: '192.0.2.7' },
      { action: 'sign_in.succeeded', actor: 'user:ana.ruiz@bank.example', address: '192.0.2.7' },
    ]);
    expect(await lastEntry()).toMatchObject({
      details: { method: 'oidc', issuer, subject: identity.subject, kind: 'browser' },
      request_id: 'request-0001',
    });
  });

  test('whose groups are worth no role stays unknown', async () => {
    const identity = newIdentity({ groups: ['canteen', 'nowhere'] });
    expect(await signIn(identity)).toEqual(refused('no_role'));
    expect(await known(identity.username)).toEqual([]);
    expect(await lastEntry()).toMatchObject({
      action: 'sign_in.failed',
      actor: 'anonymous',
      subject_id: null,
      details: { because: 'no_role', subject: identity.subject, named: identity.username },
    });
  });

  test('who comes twice at once is one person', async () => {
    const identity = newIdentity();
    const both = await Promise.all([signIn(identity), signIn(identity)]);
    expect(both).toMatchObject([{ ok: true }, { ok: true }]);
    expect(await known(identity.username)).toHaveLength(1);
  });

  test('a role of the database counts while it is there', async () => {
    const identity = newIdentity({ groups: ['nights', 'nowhere'] });
    expect((await sessionBySecret(owner, await secretOf(identity)))?.roles).toEqual(['night']);
  });

  test('a name that cannot be a user name is refused, and what else they say is kept in one line', async () => {
    const odd = newIdentity({ username: 'ana+ruiz@bank.example' });
    expect(await signIn(odd)).toEqual(refused('unusable_name'));
    const long = newIdentity({ name: `A\u0000\n${'😀'.repeat(300)}`, email: `${'a'.repeat(400)}@x` });
    const person = await sessionBySecret(owner, await secretOf(long));
    expect(person).toMatchObject({ name: `A ${'😀'.repeat(198)}`, email: null });
  });
});

describe('nobody becomes somebody else', () => {
  test.each([
    ['a password', { source: 'password', hash: 'none', mustChange: false }],
    ['a directory', { source: 'ldap', externalId: 'entry-1' }],
    ['the same provider under another name', { source: 'oidc', externalId: 'somebody-else' }],
  ] as const)(
    'a name of somebody who signs in by %s is refused, and their e-mail is no way in',
    async (_, by) => {
      const username = `taken-${++people}`;
      const id = await addPerson(username, by, ['admin']);
      const identity = newIdentity({ username: username.toUpperCase(), email: `${username}@bank.example` });
      expect(await signIn(identity)).toEqual(refused('name_taken'));
      expect(await lastEntry()).toMatchObject({
        action: 'sign_in.failed',
        subject_id: null,
        details: { because: 'name_taken', named: username },
      });
      // The event tells nothing of whom the name belongs to.
      const [event] = await owner.query<{ payload: string }>(
        `select payload from outbox.messages where topic = 'auth.events' order by position desc limit 1`,
      );
      expect(JSON.parse(event?.payload ?? '')).toMatchObject({ type: 'LOGIN_FAILED', reason: 'name_taken' });
      expect(event?.payload).not.toContain(id);

      const byEmail = newIdentity({ email: `${username}@bank.example` });
      const person = await sessionBySecret(owner, await secretOf(byEmail));
      expect(person?.id).not.toBe(id);
      expect(person?.roles).toEqual(['agent']);
    },
  );

  test('the same subject of another issuer is somebody else', async () => {
    const identity = newIdentity();
    await secretOf(identity);
    const foreign = { ...identity, issuer: 'https://id.other.example' };
    expect(await signIn(foreign)).toEqual(refused('name_taken'));
    // Nor by a name that is free: the subject is taken.
    expect(await signIn({ ...foreign, username: `free-${people}` })).toEqual(refused('name_taken'));
  });

  test('who was renamed there stays who they are here', async () => {
    const identity = newIdentity();
    const before = await sessionBySecret(owner, await secretOf(identity));
    const after = await sessionBySecret(
      owner,
      await secretOf({ ...identity, username: 'renamed', name: 'New Name', email: null }),
    );
    expect(after).toMatchObject({ id: before?.id, username: identity.username, name: 'New Name' });
    expect(after?.email).toBe(identity.email);
    const [user] = await known(identity.username);
    await secretOf({ ...identity, name: 'New Name' });
    expect((await known(identity.username))[0]?.version).toBe(user?.version);
  });
});

describe('somebody known', () => {
  test('whom an administrator has made known beforehand is that person, also without a group', async () => {
    const id = await addPerson('grace', { source: 'oidc', externalId: 'subject-of-grace' }, ['auditor']);
    const identity = newIdentity({ subject: 'subject-of-grace', username: 'g.hopper', groups: [] });
    const person = await sessionBySecret(owner, await secretOf(identity));
    expect(person).toMatchObject({ id, username: 'grace', roles: ['auditor'] });
    // From now on they are this issuer's.
    const foreign = { ...identity, issuer: 'https://id.other.example' };
    expect(await signIn(foreign)).toEqual(refused('no_role'));
  });

  test('gets and loses roles with their groups, and keeps what they were given by hand', async () => {
    const identity = newIdentity({ groups: ['agents', 'leads'] });
    const { id } = (await sessionBySecret(owner, await secretOf(identity))) as { id: string };
    await owner.query(`insert into staff.user_roles (user_id, username, role) values ($1, $2, 'auditor')`, [
      id,
      identity.username,
    ]);
    const changed = await sessionBySecret(owner, await secretOf({ ...identity, groups: ['nights'] }));
    expect(changed?.roles).toEqual(['auditor', 'night']);
    const none = await sessionBySecret(owner, await secretOf({ ...identity, groups: [] }));
    expect(none?.roles).toEqual(['auditor']);
  });

  test('without any role left is refused, and out everywhere', async () => {
    const identity = newIdentity();
    const secret = await secretOf(identity);
    expect(await signIn({ ...identity, groups: ['canteen'] })).toEqual(refused('no_role'));
    expect(await sessionBySecret(owner, secret)).toBeUndefined();
    expect(await lastEntry()).toMatchObject({ action: 'sign_in.failed', subject_id: identity.username });
    expect(await signIn(identity)).toMatchObject({ ok: true });
  });

  test('who was deactivated stays so, whatever their groups', async () => {
    const identity = newIdentity();
    await secretOf(identity);
    await owner.query(`update staff.users set status = 'deactivated' where username = $1`, [
      identity.username,
    ]);
    const before = await known(identity.username);
    expect(await signIn({ ...identity, groups: ['agents', 'leads'], name: 'Back' })).toEqual(
      refused('deactivated'),
    );
    expect(await known(identity.username)).toEqual(before);
    expect(await lastEntry()).toMatchObject({
      action: 'sign_in.failed',
      subject_id: identity.username,
      details: { because: 'deactivated' },
    });
  });

  test('gets a new session; the one that the browser had ends', async () => {
    const identity = newIdentity();
    const first = await secretOf(identity);
    const second = await signIn(identity, { replaced: first });
    expect(second).toMatchObject({ ok: true, value: { ended: [expect.any(String)] } });
    expect(await sessionBySecret(owner, first)).toBeUndefined();
    const client = await signIn(identity, { kind: 'client' });
    expect(client.ok && client.value.secret).toMatch(/^rt_/);
  });
});

test('the Worker may not link anybody by itself', async () => {
  const link = `insert into staff.identities (issuer, subject, user_id) select 'x', 'y', id from staff.users limit 1`;
  await expect(auth.query(link)).rejects.toThrow('42501');
});
