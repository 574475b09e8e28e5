import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { sessionBySecret } from './find-session.ts';
import { followDirectory, type There } from './follow-directory.ts';
import type { GroupRoles } from './group-roles.ts';
import { signInFrom } from './sign-in-from.ts';

const issuer = 'ldap:dc=bank,dc=test';
const groupRoles: GroupRoles = new Map([
  ['agents', { name: 'agent', keptHere: false }],
  ['nights', { name: 'night', keptHere: true }],
  ['nowhere', { name: 'nowhere', keptHere: true }],
]);

let database: TestDatabase;
let owner: Pool;
/** With the rights that the container has. */
let directory: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 4, applicationName: 'test', timeoutMs: 10_000 });
  owner = open(database.url);
  directory = open(database.urlFor('recoup_directory'));
  await owner.query(`insert into staff.roles (name, description) values ('night', 'At night')`);
});
afterAll(async () => {
  await Promise.all([owner.close(), directory.close()]);
  await database.drop();
});

let people = 0;
interface Member extends There {
  username: string;
  secret: string;
}
/** Somebody whom the directory has vouched for, in a session. */
async function newMember(groups = ['agents'], of = issuer): Promise<Member> {
  const username = `member-${++people}`;
  const there = {
    subject: `entry-${people}`,
    name: `Member ${people}`,
    email: `${username}@bank.test`,
    groups,
  };
  const signedIn = await signInFrom(
    owner,
    { source: 'ldap', issuer: of, username, ...there },
    {
      groupRoles,
      session: {
        ...{ kind: 'browser' as const, device: 'test', address: '192.0.2.7' },
        ...{ idleSeconds: 3_600, lifetimeSeconds: 3_600, most: 10 },
      },
      newDeviceHash: null,
      replaced: undefined,
    },
  );
  if (!signedIn.ok) throw new Error(signedIn.refusal);
  return { ...there, username, secret: signedIn.value.secret };
}

const follow = (there: There[], changes: { issuer?: string; mostLeave?: number } = {}) =>
  followDirectory(directory, { issuer, groupRoles, mostLeave: 100, look: async () => there, ...changes });
const outcomes = async (there: There[]) => {
  const done = await follow(there);
  if (!done.ok) throw new Error(`${done.refusal.leaving} would leave`);
  return Object.fromEntries(done.value.followed.map(({ username, outcome }) => [username, outcome]));
};
const personOf = ({ secret }: Member) => sessionBySecret(owner, secret);
const userOf = async ({ username }: Member) =>
  (
    await owner.query<{ status: string; version: number }>('select * from staff.users where username = $1', [
      username,
    ])
  )[0];

test('who has gone, or has no group of worth left, is let in no more and is out', async () => {
  const [stays, goes, loses] = [await newMember(), await newMember(), await newMember()];
  const { version } = (await userOf(stays)) as { version: number };
  expect(await outcomes([stays, { ...loses, groups: ['canteen', 'nowhere'] }])).toEqual({
    [goes.username]: 'deactivated',
    [loses.username]: 'deactivated',
  });
  expect(await personOf(stays)).toMatchObject({ roles: ['agent'] });
  expect(await userOf(stays)).toMatchObject({ status: 'active', version });
  for (const gone of [goes, loses]) {
    expect(await personOf(gone)).toBeUndefined();
    expect(await userOf(gone)).toMatchObject({ status: 'deactivated' });
    const sessions = await owner.query(
      `select ended_because from staff.sessions s join staff.users u on u.id = user_id where username = $1`,
      [gone.username],
    );
    expect(sessions).toEqual([{ ended_because: 'directory' }]);
  }
  const entries = await owner.query(
    `select actor, action from audit.entries where subject_id = $1 order by id offset 3`,
    [goes.username],
  );
  expect(entries).toEqual([
    { actor: 'directory:ldap', action: 'user_role.removed' },
    { actor: 'directory:ldap', action: 'user.changed' },
    { actor: 'directory:ldap', action: 'session.ended' },
  ]);
  // Once.
  expect(await outcomes([stays])).toEqual({});
  // Who is back is back, with the roles that their groups are worth now.
  expect(await outcomes([stays, { ...goes, groups: ['nights'] }])).toEqual({
    [goes.username]: 'reactivated',
  });
  expect(await userOf(goes)).toMatchObject({ status: 'active' });
  expect(await personOf(goes)).toBeUndefined();
  await outcomes([]);
});

test('names, addresses and roles are as they are there', async () => {
  const member = await newMember();
  const changed = {
    ...member,
    name: 'New\u0000Name ',
    email: null,
    groups: ['nights', 'agents', 'nowhere'],
  };
  expect(await outcomes([changed])).toEqual({ [member.username]: 'changed' });
  expect(await personOf(member)).toMatchObject({
    name: 'New Name',
    email: member.email,
    roles: ['agent', 'night'],
  });
  expect(await outcomes([{ ...changed, groups: ['nights'] }])).toEqual({ [member.username]: 'changed' });
  expect(await personOf(member)).toMatchObject({ roles: ['night'] });
  expect(await outcomes([{ ...changed, groups: ['nights'] }])).toEqual({});
  await outcomes([]);
});

test('what an administrator has done stays: a role given by hand, and that somebody was deactivated', async () => {
  const [given, banned] = [await newMember(), await newMember()];
  await owner.query(
    `insert into staff.user_roles (user_id, username, role) select id, username, 'auditor' from staff.users where username = $1`,
    [given.username],
  );
  await owner.query(`update staff.users set status = 'deactivated' where username = $1`, [banned.username]);
  await outcomes([{ ...given, groups: [] }, banned]);
  expect(await personOf(given)).toMatchObject({ roles: ['auditor'] });
  expect(await userOf(banned)).toMatchObject({ status: 'deactivated' });
  // Whoever is let in again by hand while the directory has let them go is not let in for long.
  await outcomes([]);
  await owner.query(`update staff.users set status = 'active' where username = $1`, [given.username]);
  expect(await outcomes([])).toEqual({ [given.username]: 'deactivated' });
});

test('another issuer’s people are none of its business', async () => {
  const foreign = await newMember(['agents'], 'https://id.bank.test');
  expect(await outcomes([])).toEqual({});
  expect(await personOf(foreign)).toBeDefined();
});

test('when more would have to leave than may at once, nobody does', async () => {
  const members: Member[] = [];
  for (let i = 0; i < 12; i++) members.push(await newMember());
  const [first] = members as [Member];
  expect(await follow(members.slice(0, 5), { mostLeave: 50 })).toEqual({
    ok: false,
    refusal: { leaving: 7 },
  });
  const worthless = members.map((member) => ({ ...member, groups: [] }));
  expect(await follow(worthless, { mostLeave: 50 })).toEqual({ ok: false, refusal: { leaving: 12 } });
  expect(await personOf(first)).toBeDefined();
  expect(await follow(members.slice(0, 6), { mostLeave: 50 })).toMatchObject({ ok: true });
  // A few may always go.
  expect(await follow(members.slice(0, 1), { mostLeave: 1 })).toMatchObject({ ok: true });
  expect(await personOf(first)).toBeDefined();
});

test('the container may do nothing else with people', async () => {
  for (const forbidden of [
    'select * from staff.users',
    'select * from staff.sessions',
    'select * from staff.passwords',
    `update staff.users set status = 'active'`,
    `select staff.end_sessions('{}', 'x')`,
    `insert into staff.identities (issuer, subject, user_id) select 'x', 'y', id from staff.users limit 1`,
  ]) {
    await expect(directory.query(forbidden), forbidden).rejects.toThrow('42501');
  }
});
