import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import type { Database } from '../database.ts';
import { createUser } from './create-user.ts';
import { saveRoleRemoval } from './role-store.ts';
import { findUser, saveUserChange } from './user-store.ts';

let database: TestDatabase;
let owner: Pool;
/** With the rights that the Worker has. */
let auth: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 3, applicationName: 'test', timeoutMs: 10_000 });
  owner = open(database.url);
  auth = open(database.urlFor('recoup_auth'));
});
afterAll(async () => {
  await Promise.all([owner.close(), auth.close()]);
  await database.drop();
});

let people = 0;
async function newUser(roles: string[]): Promise<string> {
  const username = `user-${++people}`;
  const made = await createUser(auth, {
    ...{ username, displayName: username, email: null, team: null, roles, actor: 'test' },
    by: { source: 'oidc', externalId: username },
  });
  if (!made.ok) throw new Error(made.refusal);
  return made.value.id;
}

async function change(db: Database, id: string, to: { status?: 'deactivated'; roles?: string[] }) {
  const user = await findUser(db, id);
  if (!user) throw new Error('there is nobody');
  const assigned = to.roles && { assigned: to.roles, keptHere: to.roles.filter((role) => role === 'night') };
  return (await saveUserChange(db, { ...user, ...to }, assigned)).outcome;
}

/** What the second does while the first has done its part and not yet committed. */
async function duringUncommitted<T>(
  first: (db: Database) => Promise<unknown>,
  second: () => Promise<T>,
): Promise<T> {
  let later: Promise<T> | undefined;
  await auth.transaction(async (tx) => {
    await first(tx);
    later = second();
    // It waits for the lock; without one it would be through by now.
    await sleep(300);
  });
  return later as Promise<T>;
}

test.each([
  [{ roles: [] }, { roles: [] }],
  [{ status: 'deactivated' }, { status: 'deactivated' }],
  [{ roles: ['agent'] }, { status: 'deactivated' }],
] as const)('of two admins %j and %j at once leave one', async (one, two) => {
  await owner.query('delete from staff.user_roles');
  const [a, b] = [await newUser(['admin']), await newUser(['admin'])];
  const outcome = await duringUncommitted(
    async (tx) => expect(await change(tx, a, one as never)).toBe('changed'),
    () => change(auth, b, two as never),
  );
  expect(outcome).toBe('last_admin');
  expect(await findUser(auth, b)).toMatchObject({ status: 'active', roles: [{ name: 'admin' }], version: 1 });
});

test('a deactivated admin is none, and an admin by directory is one', async () => {
  await owner.query('delete from staff.user_roles');
  const [a, b] = [await newUser(['admin']), await newUser(['admin'])];
  expect(await change(auth, b, { status: 'deactivated' })).toBe('changed');
  expect(await change(auth, a, { roles: [] })).toBe('last_admin');
  await owner.query(`update staff.user_roles set source = 'directory' where user_id = $1`, [a]);
  // Nothing is taken from them by hand.
  expect(await change(auth, a, { roles: [] })).toBe('changed');
  expect(await findUser(auth, a)).toMatchObject({ roles: [{ name: 'admin', source: 'directory' }] });
  expect(await change(auth, a, { status: 'deactivated' })).toBe('last_admin');
});

test('a role that is being given is not removed, and one that is being removed is not given', async () => {
  const newRole = () => owner.query(`insert into staff.roles (name, description) values ('night', 'Night')`);
  await newRole();
  const id = await newUser([]);
  const removed = await duringUncommitted(
    (tx) => change(tx, id, { roles: ['night'] }),
    () => saveRoleRemoval(auth, 'night', 1),
  );
  expect(removed).toEqual({ outcome: 'in_use', holders: 1 });
  await change(auth, id, { roles: [] });
  const given = await duringUncommitted(
    (tx) => saveRoleRemoval(tx, 'night', 1),
    () => change(auth, id, { roles: ['night'] }),
  );
  expect(given).toBe('unknown_role');
});
