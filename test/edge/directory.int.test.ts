// Signing in by a name and a password that a directory knows: through the Workers, the directory's container, and the
// real OpenLDAP or Active Directory behind it.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { KindName } from '../../containers/directory/kinds.ts';
import {
  addPerson,
  directoryEnv,
  directoryKey,
  groupDn,
  type OwnPerson,
} from '../../containers/directory/testing.ts';
import { type ContainerProcess, spawnContainer } from '../../containers/testing.ts';
import { openTcpGate, type TcpGate } from '../../dev/doors/tcp-gate.ts';
import { freePort } from '../../dev/servers/port.ts';
import { sharedActiveDirectory, sharedOpenLdap } from '../identity-providers.ts';
import { ask, eventually, expectProblem } from './asking.ts';
import {
  cookiesOf,
  fromPage,
  login,
  newPersonWithPassword,
  password,
  postJson,
  token,
} from './signing-in.ts';
import { useWorld } from './world.ts';

const kinds: { kind: KindName; directory: Awaited<ReturnType<typeof sharedOpenLdap>> }[] = [
  { kind: 'openldap', directory: await sharedOpenLdap() },
  { kind: 'active-directory', directory: await sharedActiveDirectory() },
];
const port = await freePort();
describe.each(kinds)('with $kind', { timeout: 120_000 }, ({ kind, directory }) => {
  if (!directory) return test.skip('signing in');
  const worth = { 'recoup-admins': 'admin', 'recoup-agents': 'agent', 'recoup-supervisors': 'supervisor' };
  const groupRoles = Object.fromEntries(
    Object.entries(worth).map(([name, role]) => [groupDn(kind, directory, name), role]),
  );
  const world = useWorld('workerd', {
    auth: {
      DIRECTORY_URL: `http://127.0.0.1:${port}`,
      DIRECTORY_KEY: directoryKey,
      GROUP_ROLES: JSON.stringify(groupRoles),
      SIGN_IN_RATE_LIMIT_PER_MINUTE: '100000',
    },
  });
  const me = (cookie: string) => ask(`${world.edge.urls.api}/api/v1/auth/me`, { headers: { cookie } });
  const person = (name: string) => directory.people.find(({ username }) => username === name)!;
  const entries = (action: string) =>
    world.db.query<{ subject_id: string | null; details: Record<string, unknown> }>(
      'select subject_id, details from audit.entries where action = $1 order by id desc',
      [action],
    );

  let gate: TcpGate;
  let container: ContainerProcess;
  const own: OwnPerson[] = [];
  const newOwn = async () => {
    const made = await addPerson(kind, directory);
    own.push(made);
    return made;
  };
  const start = async (roles: Record<string, string> = {}) => {
    const { hostname } = new URL(directory.url);
    container = spawnContainer('directory', {
      ...directoryEnv(kind, directory, mkdtempSync(join(inject('runFolder'), 'ca-'))),
      // The certificate of Active Directory is for an address of its own, at which there can be no gate.
      ...(kind === 'openldap' ? { DIRECTORY_LDAP_URL: `ldaps://${hostname}:${gate.port}` } : {}),
      DATABASE_URL: world.urlFor('recoup_directory'),
      DIRECTORY_PORT: String(port),
      GROUP_ROLES: JSON.stringify({ ...groupRoles, ...roles }),
    });
    const answers = () =>
      fetch(`http://127.0.0.1:${port}/`).then(
        ({ status }) => status,
        () => 0,
      );
    expect(await eventually(answers, (status) => status === 401, 30_000)).toBe(401);
  };
  const stop = async () => {
    container.child.kill('SIGTERM');
    expect((await container.exited).code).toBe(0);
  };

  beforeAll(async () => {
    const { hostname, port: ldapPort } = new URL(directory.url);
    gate = await openTcpGate({ host: hostname, port: Number(ldapPort || 636) });
    await start();
  });
  beforeEach(async () => {
    await world.db.query('truncate staff.sign_in_attempts');
  });
  afterAll(async () => {
    container.child.kill('SIGKILL');
    await container.exited;
    await gate.goAway();
    for (const made of own) await made.remove().catch(() => {});
  });

  test('its people are made known when they first come, with the roles of their groups', async () => {
    const zoe = person('zoe');
    const first = await login(world.edge, ' ZOE ', zoe.password);
    expect([first.status, first.body]).toEqual([
      200,
      expect.objectContaining({
        username: 'zoe',
        name: 'Zoë O"Neill, (Jr.) + Sons*',
        email: 'zoe@recoup.test',
        roles: ['agent', 'supervisor'],
        mustChangePassword: false,
      }),
    ]);
    const { session } = cookiesOf(first);
    expect((await me(session)).body).toEqual(first.body);
    const [entry] = await entries('sign_in.succeeded');
    expect(entry).toMatchObject({
      subject_id: 'zoe',
      details: { method: 'ldap', issuer: 'ldap:dc=recoup,dc=test', kind: 'browser' },
    });
    // The same person by every other way of signing in.
    const again = await token(world.edge, {
      grant_type: 'password',
      username: 'zoe',
      password: zoe.password,
    });
    expect(again.status).toBe(200);
    const unversioned = await postJson(world.edge, '/api/auth/login', {
      username: 'zoe',
      password: zoe.password,
    });
    expect(unversioned.body).toMatchObject({ success: true, user: { id: first.body.id } });
    // They have no password here that could be set.
    const change = { currentPassword: zoe.password, newPassword: 'another horse battery' };
    expectProblem(await fromPage(world.edge, '/api/v1/auth/password', change, [session]), 404, 'not_found');
  });

  test('a wrong password, a disabled account, and somebody without a group are refused alike', async () => {
    const refused = [
      await login(world.edge, 'asha', 'guessed'),
      await login(world.edge, 'nobody-there', 'guessed'),
      await login(world.edge, 'hari', person('hari').password),
      await login(world.edge, 'gita', person('gita').password),
      await login(world.edge, 'ash*', person('asha').password),
    ];
    for (const answer of refused) expectProblem(answer, 401, 'sign_in_failed');
    const reasons = (await entries('sign_in.failed')).map(({ details }) => details.because);
    expect(reasons.slice(0, 5)).toEqual(['unknown', 'no_role', 'disabled', 'unknown', 'password']);
    expect(
      await world.db.query(`select from staff.users where username in ('asha', 'hari', 'gita')`),
    ).toEqual([]);
  });

  test('who leaves it is out within five seconds of its being noticed', async () => {
    const [leaver, stayer] = [await newOwn(), await newOwn()];
    const roles = { [leaver.group]: 'agent', [stayer.group]: 'agent' };
    const edge = await world.anotherEdge({ auth: { GROUP_ROLES: JSON.stringify(roles) } });
    const [left, stayed] = (await Promise.all(
      [leaver, stayer].map(
        async (made) => cookiesOf(await login(edge, made.username, made.password)).session,
      ),
    )) as [string, string];
    const status = async (cookie: string) =>
      (await ask(`${edge.urls.api}/api/v1/auth/me`, { headers: { cookie } })).status;
    expect([await status(left), await status(stayed)]).toEqual([200, 200]);
    await leaver.remove();
    await stop();
    await start(roles);
    const noticed = () => container.lines.some(({ event }) => event === 'people_followed');
    expect(await eventually(async () => noticed(), Boolean, 20_000)).toBe(true);
    const now = await eventually(
      () => status(left),
      (is) => is === 401,
      5_000,
    );
    expect([now, await status(stayed)]).toEqual([401, 200]);
    expect(await entries('session.ended')).toContainEqual({
      subject_id: leaver.username,
      details: { because: 'directory', session: expect.any(String) },
    });
  });

  // What follows is the same whichever directory it is.
  if (kind !== 'openldap') return;

  test('whoever guesses has to wait, as with passwords that are here', async () => {
    expectProblem(await login(world.edge, 'bela', 'guessed'), 401, 'sign_in_failed');
    const failures =
      'update staff.sign_in_attempts set failures = 5 * failures where failures = 1 returning 1';
    expect(await world.db.query(failures)).toHaveLength(3);
    expectProblem(await login(world.edge, 'bela', person('bela').password), 429, 'too_many_attempts');
    expect((await entries('sign_in.locked'))[0]?.details).toMatchObject({ because: 'name_and_address' });
  });

  test('who has a password here signs in by it alone, whoever has the name there', async () => {
    const local = await newPersonWithPassword(world);
    await world.db.query(`update staff.users set username = 'deepa' where id = $1`, [local.id]);
    expectProblem(await login(world.edge, 'deepa', person('deepa').password), 401, 'sign_in_failed');
    const answer = await login(world.edge, 'deepa', password);
    expect(answer.body).toMatchObject({ id: local.id });
    await world.db.query(`update staff.users set status = 'deactivated' where id = $1`, [local.id]);
    expectProblem(await login(world.edge, 'deepa', person('deepa').password), 401, 'sign_in_failed');
  });

  test('a second factor is asked for, whatever they are called there now', async () => {
    const made = await newOwn();
    const edge = await world.anotherEdge({
      auth: { GROUP_ROLES: JSON.stringify({ [made.group]: 'agent' }) },
    });
    const { session } = cookiesOf(await login(edge, made.username, made.password));
    const wrong = { password: 'guessed' };
    expectProblem(await fromPage(edge, '/api/v1/auth/totp', wrong, [session]), 403, 'credential_refused');
    const enrolled = await fromPage(edge, '/api/v1/auth/totp', { password: made.password }, [session]);
    expect(enrolled.status).toBe(201);
    const secret = Secret.fromBase32(enrolled.body.secret);
    const code = (steps = 0) => new TOTP({ secret }).generate({ timestamp: Date.now() + steps * 30_000 });
    const confirmed = await fromPage(edge, '/api/v1/auth/totp/confirm', { code: code(-1) }, [session]);
    expect(confirmed.status).toBe(204);
    const renamed = `${made.username}-renamed`;
    await made.change('uid', renamed);
    expectProblem(await login(edge, renamed, made.password), 401, 'code_required');
    expectProblem(await login(edge, renamed, made.password, [], '000000'), 401, 'sign_in_failed');
    const used = code();
    expect((await login(edge, renamed, made.password, [], used)).body).toMatchObject({
      username: made.username,
    });
    expectProblem(await login(edge, renamed, made.password, [], used), 401, 'sign_in_failed');
  });

  test('while it is away others sign in, and nothing counts as an attempt', async () => {
    const local = await newPersonWithPassword(world);
    const asha = person('asha');
    for (const away of [() => gate.goAway(), () => stop()]) {
      await away();
      const answer = await login(world.edge, 'asha', asha.password);
      expectProblem(answer, 503, 'directory_away');
      expect(answer.headers.get('retry-after')).toBe('30');
      const counted = await world.db.query('select from staff.sign_in_attempts where failures > 0');
      expect(counted).toEqual([]);
      await gate.comeBack();
    }
    expect((await login(world.edge, local.username)).status).toBe(200);
    await start();
    expect((await login(world.edge, 'asha', asha.password)).body).toMatchObject({ roles: ['admin'] });
    // A key that is not the container's is no refusal either.
    const other = await world.anotherEdge({ auth: { DIRECTORY_KEY: 'another-key-of-thirty-two-letters' } });
    expectProblem(await login(other, 'asha', asha.password), 503, 'directory_away');
  });
});
