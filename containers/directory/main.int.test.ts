// The directory's container as it is deployed: a process of its own with its own role's rights, in front of real
// directories.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { openTcpGate } from '../../dev/doors/tcp-gate.ts';
import { freePort } from '../../dev/servers/port.ts';
import { type DirectoryAnswer, directoryAnswer } from '../../shared/staff/directory.ts';
import { sessionBySecret } from '../../shared/staff/find-session.ts';
import type { GroupRoles } from '../../shared/staff/group-roles.ts';
import { signInFrom } from '../../shared/staff/sign-in-from.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { sharedActiveDirectory, sharedOpenLdap } from '../../test/identity-providers.ts';
import { openPool, type Pool } from '../database.ts';
import { type ContainerProcess, spawnContainer } from '../testing.ts';
import { authenticate } from './authenticate.ts';
import type { KindName } from './kinds.ts';
import { addPerson, directoryEnv, directoryKey, ldapSettings, type OwnPerson } from './testing.ts';

const [openLdap, activeDirectory] = await Promise.all([sharedOpenLdap(), sharedActiveDirectory()]);

let database: TestDatabase;
let owner: Pool;
let folder: string;
const running = new Set<ContainerProcess>();
const own: OwnPerson[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 4, applicationName: 'test', timeoutMs: 10_000 });
  folder = mkdtempSync(join(inject('runFolder'), 'directory-'));
});
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all([...running].map(({ exited }) => exited));
  running.clear();
  await owner.query('truncate operations.heartbeats');
});
afterAll(async () => {
  await Promise.all(own.map((person) => person.remove().catch(() => {})));
  await owner.close();
  await database.drop();
});

const eventually = <T>(get: () => T) => expect.poll(get, { timeout: 20_000, interval: 50 });
const logged = ({ lines }: ContainerProcess, event: string) => lines.filter((line) => line.event === event);

async function start(env: Record<string, string>) {
  const port = await freePort();
  const container = spawnContainer('directory', {
    DATABASE_URL: database.urlFor('recoup_directory'),
    HEARTBEAT_SECONDS: '1',
    DIRECTORY_PORT: String(port),
    ...env,
  });
  running.add(container);
  const ask = (body: unknown, headers: Record<string, string> = {}, path = '/authenticate') =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { authorization: `Bearer ${directoryKey}`, 'content-type': 'application/json', ...headers },
    });
  return { container, ask };
}
const heartbeat = async () => {
  const [row] = await owner.query<{ healthy: boolean; detail: Record<string, unknown> }>(
    `select healthy, detail from operations.heartbeats where process = 'directory' order by beat_at desc limit 1`,
  );
  return row;
};
/** Has ended, and has synchronised before. */
const synchronise = async (env: Record<string, string>) => {
  const { container } = await start(env);
  await eventually(async () => (await heartbeat())?.detail.synchronised_seconds).toEqual(expect.any(Number));
  container.child.kill('SIGTERM');
  expect(await container.exited).toEqual({ code: 0, signal: null });
  running.delete(container);
  expect(container.errors()).toBe('');
  return container;
};

const kinds: { kind: KindName; directory: typeof openLdap; disabling: [string, string] }[] = [
  { kind: 'openldap', directory: openLdap, disabling: ['pwdAccountLockedTime', '000001010000Z'] },
  { kind: 'active-directory', directory: activeDirectory, disabling: ['userAccountControl', '514'] },
];

describe.each(kinds)('$kind', ({ kind, directory, disabling }) => {
  test.skipIf(!directory)('answers who has the key, and nobody else', async () => {
    const { ask } = await start(directoryEnv(kind, directory!, folder));
    const { username, password } = directory!.people[0]!;
    await eventually(() =>
      ask({ username, password }).then(
        ({ status }) => status,
        () => 0,
      ),
    ).toBe(200);
    const answer = directoryAnswer.parse(await (await ask({ username, password })).json());
    expect(answer).toMatchObject({ outcome: 'known', identity: { username } });
    const refused = await ask({ username, password: 'guessed' });
    expect([refused.status, await refused.json()]).toEqual([
      200,
      { outcome: 'refused', because: 'password' },
    ]);
    for (const authorization of ['', 'Bearer', `Bearer ${directoryKey}x`, `Basic ${directoryKey}`]) {
      expect((await ask({ username, password }, { authorization })).status).toBe(401);
      expect((await ask('', { authorization }, '/elsewhere')).status).toBe(401);
    }
    expect((await ask('', {}, '/elsewhere')).status).toBe(404);
    expect((await ask('{')).status).toBe(422);
    expect((await ask({ username })).status).toBe(422);
    expect((await ask({ username, password: 'x'.repeat(20_000) })).status).toBe(413);
  });

  test.skipIf(!directory)('people follow it: who is disabled, gone or without a group is out', async () => {
    const [stays, disabled, gone, groupless] = (await Promise.all(
      [1, 2, 3, 4].map(() => addPerson(kind, directory!)),
    )) as [OwnPerson, OwnPerson, OwnPerson, OwnPerson];
    const all = [stays, disabled, gone, groupless];
    own.push(...all);
    const worth: GroupRoles = new Map(
      all.map(({ group }) => [group.toLowerCase(), { name: 'agent', keptHere: false }]),
    );
    const secrets = new Map<OwnPerson, string>();
    for (const person of all)
      secrets.set(person, await signedIn(await authenticate(ldapSettings(kind, directory!), person), worth));
    const rolesOf = async (person: OwnPerson) => (await sessionBySecret(owner, secrets.get(person)!))?.roles;
    for (const person of all) expect(await rolesOf(person)).toEqual(['agent']);

    await stays.change('displayName', 'Another Name');
    await disabled.change(...disabling);
    await gone.remove();
    await groupless.leaveGroup();
    const roles = Object.fromEntries(
      all.map(({ group }) => [group, group === stays.group ? 'supervisor' : 'agent']),
    );
    const env = { ...directoryEnv(kind, directory!, folder), GROUP_ROLES: JSON.stringify(roles) };
    const container = await synchronise(env);
    expect(await Promise.all(all.map(rolesOf))).toEqual([['supervisor'], undefined, undefined, undefined]);
    expect((await sessionBySecret(owner, secrets.get(stays)!))?.name).toBe('Another Name');
    expect(logged(container, 'people_followed')).toMatchObject([
      { deactivated: 3, changed: 1, reactivated: 0 },
    ]);
    // Names of people are in the audit trail, and in no log.
    expect(JSON.stringify(container.lines)).not.toMatch(/own-|Another Name/);
  });
});

async function signedIn(answer: DirectoryAnswer, groupRoles: GroupRoles): Promise<string> {
  if (answer.outcome !== 'known') throw new Error(answer.because);
  const hour = 3_600;
  const opened = await signInFrom(
    owner,
    { source: 'ldap', ...answer.identity },
    {
      groupRoles,
      session: {
        ...{ kind: 'browser' as const, device: 'test', address: '192.0.2.7' },
        ...{ idleSeconds: hour, lifetimeSeconds: hour, most: 10 },
      },
      newDeviceHash: null,
      replaced: undefined,
    },
  );
  if (!opened.ok) throw new Error(opened.refusal);
  return opened.value.secret;
}

test.skipIf(!openLdap)(
  'a directory that is away is said to be away, changes nobody, and is found again',
  async () => {
    const gate = await openTcpGate({ host: '127.0.0.1', port: Number(new URL(openLdap!.url).port) });
    const person = await addPerson('openldap', openLdap!);
    own.push(person);
    const groupRoles: GroupRoles = new Map([
      [person.group.toLowerCase(), { name: 'agent', keptHere: false }],
    ]);
    const secret = await signedIn(
      await authenticate(ldapSettings('openldap', openLdap!), person),
      groupRoles,
    );
    await gate.goAway();
    const { container, ask } = await start({
      ...directoryEnv('openldap', openLdap!, folder),
      DIRECTORY_LDAP_URL: `ldaps://127.0.0.1:${gate.port}`,
      GROUP_ROLES: JSON.stringify({ [person.group]: 'agent' }),
    });
    await eventually(async () => (await heartbeat())?.detail.failures).toBeGreaterThan(0);
    expect((await heartbeat())?.healthy).toBe(false);
    const { username, password } = person;
    const away = await ask({ username, password });
    expect([away.status, await away.json()]).toEqual([503, { error: 'directory_away' }]);
    expect(await sessionBySecret(owner, secret)).toBeDefined();
    await gate.comeBack();
    await eventually(async () => (await heartbeat())?.healthy).toBe(true);
    expect((await ask({ username, password })).status).toBe(200);
    expect(await sessionBySecret(owner, secret)).toBeDefined();
    expect(logged(container, 'directory_failed')).toHaveLength(1);
    // It falls silent, and is not waited for.
    gate.fallSilent();
    const silent = await ask({ username, password });
    expect(silent.status).toBe(503);
    await gate.comeBack();
    await gate.goAway();
  },
);

test('settings that do not parse end it with code 1 and a readable list', async () => {
  const { container } = await start({
    DATABASE_URL: '',
    DIRECTORY_KEY: 'short',
    DIRECTORY_LDAP_URL: 'ldap://ldap.bank.example',
    DIRECTORY_PLAIN_LDAP: 'true',
    DIRECTORY_PORT: '0',
    GROUP_ROLES: '[]',
  });
  expect(await container.exited).toEqual({ code: 1, signal: null });
  expect(container.errors()).toMatchInlineSnapshot(`
    "directory cannot start, its settings need attention:
      DATABASE_URL: is missing: the database
      DIRECTORY_PORT: expected a whole number from 1 to 65535
      DIRECTORY_KEY: expected at least 32 characters
      DIRECTORY_KIND: expected openldap or active-directory
      DIRECTORY_BASE_DN: is missing: the distinguished name below which people are
      DIRECTORY_BIND_DN: is missing: the account that may read people and groups
      DIRECTORY_BIND_PASSWORD: is missing: its password
      GROUP_ROLES: expected JSON like {"a group": "agent"}, whose roles are admin, supervisor, agent, operations, auditor, service or custom:<name>
      DIRECTORY_PLAIN_LDAP: passwords may go in the clear to this machine only
    "
  `);
});
