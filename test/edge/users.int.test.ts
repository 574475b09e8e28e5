// Managing people, roles and keys over the API: who may, what is refused, and what holds when two do it at once.

import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Reach } from '../../shared/staff/roles.ts';
import { type Answer, ask, expectProblem, tally } from './asking.ts';
import { oneRuntime } from './runtimes.ts';
import { login } from './signing-in.ts';
import { type TestPerson, useWorld } from './world.ts';

const first = 'quiet-harbour-lantern-42';
const common = 'password1234';
const nobody = '00000000-0000-4000-8000-000000000000';
const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

describe.each(oneRuntime)('on %s', (runtime) => {
  const limits = { API_KEY_MAX_DAYS: '90' };
  const world = useWorld(runtime, { auth: limits });
  let made = 0;
  const newName = (what: string) => `${what}-${++made}`;

  const call = (
    method: string,
    path: string,
    by: TestPerson | string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> =>
    ask(`${world.edge.urls.api}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${typeof by === 'string' ? by : by.accessToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const get = (path: string, by: TestPerson | string) => call('GET', path, by);
  const post = (path: string, by: TestPerson | string, body?: unknown) => call('POST', path, by, body);
  const patch = (path: string, by: TestPerson | string, body: unknown, version?: number) =>
    call('PATCH', path, by, body, version === undefined ? {} : { 'if-match': `"${version}"` });

  const newPersonWith = (...worth: Parameters<typeof world.newPersonWith>) => world.newPersonWith(...worth);
  const rolesOf = async ({ id }: { id: string }) =>
    (
      await world.db.query<{ role: string }>(
        'select role from staff.user_roles where user_id = $1 order by role',
        [id],
      )
    ).map(({ role }) => role);
  const entries = (subject: string) =>
    world.db.query<{ action: string; actor: string }>(
      'select action, actor from audit.entries where subject_id = $1 order by id',
      [subject],
    );

  describe('people', () => {
    test('are made with a first password that opens nothing but the way to another', async () => {
      const admin = await world.newPerson(['admin']);
      const username = newName('ada');
      const answer = await post('/api/v1/users', admin, {
        ...{ username, displayName: 'Ada Example', email: 'ada@example.com', team: 'north' },
        ...{ roles: ['agent'], password: first },
      });
      expect([answer.status, answer.body]).toEqual([
        201,
        {
          ...{ id: expect.any(String), username, displayName: 'Ada Example', email: 'ada@example.com' },
          ...{ team: 'north', status: 'active', source: 'password', externalId: null, roles: ['agent'] },
          ...{
            directoryRoles: [],
            mustChangePassword: true,
            version: 1,
            createdBy: `user:${admin.username}`,
          },
          ...{ createdAt: expect.stringMatching(/Z$/), changedAt: expect.stringMatching(/Z$/) },
        },
      ]);
      const { id } = answer.body;
      expect(answer.headers.get('location')).toBe(`/api/v1/users/${id}`);
      expect(answer.headers.get('etag')).toBe('"1"');
      expect((await get(`/api/v1/users/${id}`, admin)).body).toEqual(answer.body);
      const signedIn = await login(world.edge, username, first);
      expect(signedIn.status).toBe(200);
      const cookie = signedIn.headers.getSetCookie().map((line) => line.split(';')[0]);
      const payments = await ask(`${world.edge.urls.api}/api/v1/payments/none`, {
        headers: { cookie: cookie.join('; ') },
      });
      expectProblem(payments, 403, 'password_must_change');
      expect(await entries(username)).toEqual(
        expect.arrayContaining([
          { action: 'user.created', actor: `user:${admin.username}` },
          { action: 'user_role.created', actor: `user:${admin.username}` },
        ]),
      );
    });

    test('of a provider have no password here, and get none', async () => {
      const admin = await world.newPerson(['admin']);
      const body = {
        username: newName('oda'),
        displayName: 'Oda',
        source: 'oidc',
        externalId: newName('sub'),
      };
      const answer = await post('/api/v1/users', admin, body);
      expect([answer.status, answer.body]).toEqual([
        201,
        expect.objectContaining({ source: 'oidc', externalId: body.externalId, mustChangePassword: false }),
      ]);
      const given = await post(`/api/v1/users/${answer.body.id}/password`, admin, { password: first });
      expectProblem(given, 409, 'not_by_password');
      // Nobody else is the same person there.
      expectProblem(
        await post('/api/v1/users', admin, { ...body, username: newName('oda') }),
        409,
        'name_taken',
      );
    });

    test('are refused with what does not belong there, every fault at once', async () => {
      const admin = await world.newPerson(['admin']);
      const good = { username: newName('eva'), displayName: 'Eva', password: first };
      const faults = async (changes: object) => {
        const problem = expectProblem(
          await post('/api/v1/users', admin, { ...good, ...changes }),
          422,
          'invalid_request',
        );
        return problem.errors.map(({ field }: { field: string }) => field).toSorted();
      };
      for (const changes of [
        { id: nobody },
        { status: 'active' },
        { version: 7 },
        { createdBy: 'user:someone' },
        { mustChangePassword: false },
        { isAdmin: true },
      ]) {
        expect(await faults(changes)).toEqual(['body']);
      }
      expect(await faults({ username: 'Eva', displayName: ' ', email: 'x' })).toEqual([
        'displayName',
        'email',
        'username',
      ]);
      expect(await faults({ displayName: 'a\u0000b', team: '\ud800' })).toEqual(['displayName', 'team']);
      expect(await faults({ password: undefined })).toEqual(['password']);
      expect(await faults({ source: 'oidc', externalId: 'x' })).toEqual(['password']);
      expect(await faults({ externalId: 'x' })).toEqual(['externalId']);
      expect(await faults({ roles: ['none'] })).toEqual(['roles']);
      await world.db.query(
        `insert into staff.breached_passwords values (decode($1, 'hex')) on conflict do nothing`,
        [createHash('sha1').update(common).digest('hex')],
      );
      for (const [password, code] of [
        ['short', 'too_short'],
        [common, 'breached'],
        [`x${good.username}-and-more`, 'contains_username'],
      ]) {
        const { errors } = expectProblem(
          await post('/api/v1/users', admin, { ...good, password }),
          422,
          'invalid_request',
        );
        expect(errors).toEqual([{ field: 'password', code, message: expect.any(String) }]);
      }
      expect(await world.db.query('select from staff.users where username = $1', [good.username])).toEqual(
        [],
      );
    });

    test('keep their name for ever, and two at once do not share one', async () => {
      const admin = await world.newPerson(['admin']);
      const body = { username: newName('two'), displayName: 'Two', password: first };
      const answers = await Promise.all([1, 2, 3].map(() => post('/api/v1/users', admin, body)));
      expect(tally(answers)).toEqual({ 201: 1, 409: 2 });
      const { id } = answers.find(({ status }) => status === 201)!.body;
      expectProblem(await patch(`/api/v1/users/${id}`, admin, { username: 'x' }, 1), 422, 'invalid_request');
    });

    test('are listed by name in pages, by role, status, team and part of a name', async () => {
      const auditor = await world.newPerson(['auditor']);
      const team = newName('team');
      const people = [];
      for (let i = 0; i < 5; i++)
        people.push(await world.newPerson(i % 2 ? ['agent'] : ['operations'], team));
      await world.db.query(
        `update staff.users set status = 'deactivated', email = '100%@example.com' where id = $1`,
        [people[0]!.id],
      );
      const names = async (query: string) => {
        const { status, body } = await get(`/api/v1/users?team=${team}&${query}`, auditor);
        expect(status).toBe(200);
        return body.data.map(({ username }: { username: string }) => username);
      };
      const all = people.map(({ username }) => username).toSorted();
      const seen: string[] = [];
      let next: string | null = '';
      for (let pages = 0; next !== null && pages < 5; pages++) {
        const page: Answer = await get(
          `/api/v1/users?team=${team}&limit=2${next && `&after=${encodeURIComponent(next)}`}`,
          auditor,
        );
        seen.push(...page.body.data.map(({ username }: { username: string }) => username));
        next = page.body.next;
      }
      expect(seen).toEqual(all);
      expect(await names('role=agent')).toEqual([people[1]!.username, people[3]!.username].toSorted());
      expect(await names('status=deactivated')).toEqual([people[0]!.username]);
      expect(await names('q=100%25')).toEqual([people[0]!.username]);
      for (const q of ['_', "'", '\\', '%25%25', 'x%27;--'])
        expect(await names(`q=${encodeURIComponent(q)}`)).toEqual([]);
      expect(await names(`after=${btoa('zzzz')}`)).toEqual([]);
      for (const query of [
        'limit=0',
        'limit=201',
        'after=x',
        `after=${btoa('A|b')}`,
        'status=gone',
        'role=A',
        'q=',
      ]) {
        expectProblem(await get(`/api/v1/users?${query}`, auditor), 400, 'invalid_query');
      }
    });

    test('of other teams are not there for whoever reaches their own alone', async () => {
      const [team, other] = [newName('team'), newName('team')];
      const lead = await newPersonWith({ 'users:read': 'team', 'users:manage': 'team' }, team);
      const [near, far] = [await world.newPerson([], team), await world.newPerson([], other)];
      const { body } = await get('/api/v1/users?limit=200', lead);
      expect(body.data.map(({ id }: { id: string }) => id).toSorted()).toEqual([lead.id, near.id].toSorted());
      expect((await get(`/api/v1/users/${near.id}`, lead)).status).toBe(200);
      for (const answer of [
        get(`/api/v1/users/${far.id}`, lead),
        get(`/api/v1/users/${far.id}/roles`, lead),
        get(`/api/users/${far.id}`, lead),
        get(`/api/users/${far.id}/roles`, lead),
        patch(`/api/v1/users/${far.id}`, lead, { displayName: 'Mine' }, 1),
        post(`/api/v1/users/${far.id}/deactivate`, lead),
        post(`/api/v1/users/${far.id}/reactivate`, lead),
        post(`/api/v1/users/${far.id}/password`, lead, { password: first }),
        call('PUT', `/api/v1/users/${far.id}/roles/${lead.role}`, lead),
        call('DELETE', `/api/v1/users/${far.id}/roles/agent`, lead),
      ]) {
        expectProblem(await answer, 404, 'not_found');
      }
      expect((await patch(`/api/v1/users/${near.id}`, lead, { displayName: 'Near' }, 1)).body).toMatchObject({
        displayName: 'Near',
        version: 2,
      });
      const stolen = await patch(`/api/v1/users/${near.id}`, lead, { team: other }, 2);
      expectProblem(stolen, 403, 'beyond_own_rights');
      const beside = { username: newName('beside'), displayName: 'B', password: first };
      expectProblem(await post('/api/v1/users', lead, beside), 403, 'beyond_own_rights');
      expect((await post('/api/v1/users', lead, { ...beside, team })).status).toBe(201);
      const page = await get('/api/v1/users?limit=1', lead);
      expect(page.body.data).toHaveLength(1);
    });

    test('are changed from the version that was looked at; the second of two is told both', async () => {
      const admin = await world.newPerson(['admin']);
      const { id } = await world.newPerson(['agent']);
      const path = `/api/v1/users/${id}`;
      expectProblem(await patch(path, admin, { displayName: 'A' }), 428, 'version_required');
      const answers = await Promise.all(
        ['A', 'B', 'C'].map((displayName) => patch(path, admin, { displayName, email: null }, 1)),
      );
      expect(tally(answers)).toEqual({ 200: 1, 412: 2 });
      const won = answers.find(({ status }) => status === 200)!;
      expect(won.headers.get('etag')).toBe('"2"');
      const lost = answers.find(({ status }) => status === 412)!;
      expect(expectProblem(lost, 412, 'changed_meanwhile')).toMatchObject({
        present: won.body,
        wanted: { displayName: expect.stringMatching(/^[ABC]$/), email: null },
      });
      expect(lost.headers.get('etag')).toBe('"2"');
      // Roles are part of it.
      const roles = await patch(path, admin, { roles: ['operations', 'supervisor'] }, 2);
      expect(roles.body).toMatchObject({ roles: ['operations', 'supervisor'], version: 3 });
      expect(await rolesOf({ id })).toEqual(['operations', 'supervisor']);
      expect((await get(path, admin)).body).toEqual(roles.body);
      for (const field of ['status', 'source', 'externalId', 'version', 'password', 'directoryRoles']) {
        expectProblem(await patch(path, admin, { [field]: 'active' }, 3), 422, 'invalid_request');
      }
    });

    test('who are deactivated are out, with every session, and come in again only by signing in', async () => {
      const admin = await world.newPerson(['admin']);
      const person = await world.newPerson(['agent']);
      const answer = await post(`/api/v1/users/${person.id}/deactivate`, admin);
      expect([answer.status, answer.body]).toEqual([
        200,
        expect.objectContaining({ status: 'deactivated', version: 2 }),
      ]);
      expectProblem(await get('/api/v1/auth/me', person), 401, 'unauthenticated');
      expect((await post(`/api/v1/users/${person.id}/reactivate`, admin)).body).toMatchObject({
        status: 'active',
        roles: ['agent'],
      });
      expectProblem(await get('/api/v1/auth/me', person), 401, 'unauthenticated');
      const sessions = await world.db.query<{ ended_because: string; ended_by: string }>(
        'select distinct ended_because, ended_by from staff.sessions where user_id = $1',
        [person.id],
      );
      expect(sessions).toEqual([{ ended_because: 'deactivated', ended_by: `user:${admin.username}` }]);
    });

    test('who get a new first password have lost their sessions and the old one', async () => {
      const admin = await world.newPerson(['admin']);
      const person = await world.newPerson(['agent']);
      const path = `/api/v1/users/${person.id}/password`;
      expectProblem(await post(path, admin, { password: 'short' }), 422, 'invalid_request');
      expectProblem(await post(path, admin, { password: first, mustChange: false }), 422, 'invalid_request');
      const answer = await post(path, admin, { password: first });
      expect([answer.status, answer.body]).toEqual([
        200,
        expect.objectContaining({ mustChangePassword: true, version: 2 }),
      ]);
      expect(JSON.stringify(answer.body)).not.toContain(first);
      expectProblem(await get('/api/v1/auth/me', person), 401, 'unauthenticated');
      expect((await login(world.edge, person.username, first)).status).toBe(200);
      expect(await entries(person.username)).toContainEqual({
        action: 'password.given',
        actor: `user:${admin.username}`,
      });
    });

    test('are given and lose roles one by one, with the same answer when it is done again', async () => {
      const admin = await world.newPerson(['admin']);
      const person = await world.newPerson(['agent']);
      const role = `/api/v1/users/${person.id}/roles/operations`;
      for (let i = 0; i < 2; i++) {
        const { status, body } = await call('PUT', role, admin);
        expect([status, body.roles]).toEqual([200, ['agent', 'operations']]);
      }
      const held = await get(`/api/v1/users/${person.id}/roles`, admin);
      expect(held.body).toEqual({
        data: [
          {
            ...{
              name: 'agent',
              description: 'Talks to customers; waives fees, or asks for it',
              source: 'assigned',
            },
            permissions: expect.objectContaining({ 'notes:write': 'own' }),
          },
          expect.objectContaining({ name: 'operations' }),
        ],
        next: null,
      });
      for (let i = 0; i < 2; i++) {
        const { status, body } = await call('DELETE', role, admin);
        expect([status, body.roles]).toEqual([200, ['agent']]);
      }
      expectProblem(
        await call('PUT', `/api/v1/users/${person.id}/roles/none`, admin),
        422,
        'invalid_request',
      );
      expectProblem(await call('PUT', `/api/v1/users/${nobody}/roles/agent`, admin), 404, 'not_found');
      expectProblem(await call('PUT', '/api/v1/users/x/roles/agent', admin), 404, 'not_found');
    });

    test('get no two changes of roles lost in one another', async () => {
      const admin = await world.newPerson(['admin']);
      const person = await world.newPerson([]);
      const names = ['agent', 'auditor', 'operations', 'supervisor'];
      const answers = await Promise.all(
        names.map((name) => call('PUT', `/api/v1/users/${person.id}/roles/${name}`, admin)),
      );
      expect(tally(answers)).toEqual({ 200: 4 });
      expect(await rolesOf(person)).toEqual(names);
    });

    test('keep the roles that a directory gave', async () => {
      const admin = await world.newPerson(['admin']);
      const person = await world.newPerson(['agent', 'operations']);
      await world.db.query(
        `update staff.user_roles set source = 'directory' where user_id = $1 and role = 'agent'`,
        [person.id],
      );
      const path = `/api/v1/users/${person.id}`;
      expect((await get(path, admin)).body).toMatchObject({ directoryRoles: ['agent'] });
      for (const answer of [
        call('DELETE', `${path}/roles/agent`, admin),
        patch(path, admin, { roles: ['operations'] }, 1),
      ]) {
        expect(expectProblem(await answer, 409, 'directory_role')).toMatchObject({ role: 'agent' });
      }
      expect((await call('DELETE', `${path}/roles/operations`, admin)).body.roles).toEqual(['agent']);
      expect((await get(`${path}/roles`, admin)).body.data).toMatchObject([{ source: 'directory' }]);
    });

    test('give nobody more than they hold, touch nobody who holds more, and do not change themselves', async () => {
      const manager = await newPersonWith({ 'users:read': 'all', 'users:manage': 'all', 'jobs:read': 'all' });
      const admin = await world.newPerson(['admin']);
      const person = await world.newPerson([]);
      const of = (who: { id: string }) => `/api/v1/users/${who.id}`;
      for (const answer of [
        call('PUT', `${of(person)}/roles/admin`, manager),
        patch(of(person), manager, { roles: ['admin'] }, 1),
        post('/api/v1/users', manager, {
          ...{ username: newName('more'), displayName: 'More', password: first, roles: ['admin'] },
        }),
        post(`${of(admin)}/password`, manager, { password: first }),
        post(`${of(admin)}/deactivate`, manager),
        patch(of(admin), manager, { email: 'mine@example.com' }, 1),
        call('DELETE', `${of(admin)}/roles/admin`, manager),
      ]) {
        const problem = expectProblem(await answer, 403, 'beyond_own_rights');
        expect(problem.permissions).toContain('roles:manage');
      }
      expect(await rolesOf(person)).toEqual([]);
      expect(await rolesOf(admin)).toEqual(['admin']);
      expect((await call('PUT', `${of(person)}/roles/${manager.role}`, manager)).status).toBe(200);
      for (const who of [manager, admin]) {
        for (const answer of [
          call('PUT', `${of(who)}/roles/agent`, who),
          call('DELETE', `${of(who)}/roles/${(await rolesOf(who))[0]}`, who),
          patch(of(who), who, { team: newName('team') }, 1),
          post(`${of(who)}/deactivate`, who),
          post(`${of(who)}/password`, who, { password: first }),
        ]) {
          expectProblem(await answer, 403, 'own_rights');
        }
      }
      expect((await patch(of(manager), manager, { displayName: 'Me' }, 1)).status).toBe(200);
    });

    test('are not there for whoever may not read or manage them', async () => {
      const [agent, auditor, person] = [
        await world.newPerson(['agent']),
        await world.newPerson(['auditor']),
        await world.newPerson([]),
      ];
      const reads = ['/api/v1/users', `/api/v1/users/${person.id}`, `/api/v1/users/${person.id}/roles`];
      const seeds = ['/api/users', `/api/users/${person.id}`, '/api/roles', '/api/roles/agent/permissions'];
      for (const path of [...reads, ...seeds]) {
        expectProblem(await get(path, agent), 404, 'not_found');
        expectProblem(await ask(`${world.edge.urls.api}${path}`), 401, 'unauthenticated');
        expect((await get(path, auditor)).status).toBe(200);
      }
      for (const answer of [
        post('/api/v1/users', auditor, {}),
        patch(`/api/v1/users/${person.id}`, auditor, {}, 1),
        post(`/api/v1/users/${person.id}/deactivate`, auditor),
        post(`/api/v1/users/${person.id}/reactivate`, auditor),
        post(`/api/v1/users/${person.id}/password`, auditor, {}),
        call('PUT', `/api/v1/users/${person.id}/roles/agent`, auditor),
        call('DELETE', `/api/v1/users/${person.id}/roles/agent`, auditor),
      ]) {
        expectProblem(await answer, 404, 'not_found');
      }
    });

    test('two admins who take each other away at the same time leave one', async () => {
      for (const way of ['roles', 'deactivate'] as const) {
        for (let round = 0; round < 5; round++) {
          const [one, two] = [await world.newPerson(['admin']), await world.newPerson(['admin'])];
          await world.db.query(
            `update staff.users set status = 'deactivated' where status = 'active' and id <> all ($1::uuid[])
               and id in (select user_id from staff.user_roles where role = 'admin')`,
            [[one.id, two.id]],
          );
          for (const who of [one, two]) expect((await get('/api/v1/permissions', who)).status).toBe(200);
          const takeAway = (target: TestPerson, by: TestPerson) =>
            way === 'roles'
              ? call('DELETE', `/api/v1/users/${target.id}/roles/admin`, by)
              : post(`/api/v1/users/${target.id}/deactivate`, by);
          const answers = await Promise.all([takeAway(two, one), takeAway(one, two)]);
          const [, refused] = answers.toSorted((a, b) => a.status - b.status);
          expect(tally(answers)[200]).toBe(1);
          // Who has lost the race may by then be nobody any more.
          expect(['last_admin', 'not_found', 'unauthenticated']).toContain(refused!.body.code);
          const left = await world.db.query(
            `select from staff.users join staff.user_roles on user_id = id
             where role = 'admin' and status = 'active'`,
          );
          expect(left).toHaveLength(1);
        }
      }
    });
  });

  describe('roles', () => {
    test('of the software and others are listed with what they are worth', async () => {
      const auditor = await world.newPerson(['auditor']);
      const { role } = await newPersonWith({ 'jobs:read': 'all', 'notes:write': 'team' });
      const { status, body } = await get('/api/v1/roles', auditor);
      expect([status, body.next]).toEqual([200, null]);
      expect(body.data.slice(0, 6).map(({ name, builtIn }: never) => [name, builtIn])).toEqual(
        ['admin', 'supervisor', 'agent', 'operations', 'auditor', 'service'].map((name) => [name, true]),
      );
      const own = body.data.find(({ name }: { name: string }) => name === role);
      expect(own).toEqual({
        ...{ name: role, description: 'made by a test', builtIn: false, version: 1 },
        permissions: { 'jobs:read': 'all', 'notes:write': 'team' },
        ...{ createdAt: expect.any(String), changedAt: expect.any(String) },
      });
      expect((await get(`/api/v1/roles/${role}`, auditor)).body).toEqual(own);
      expectProblem(await get('/api/v1/roles/none', auditor), 404, 'not_found');
      expectProblem(await get('/api/v1/roles/No', auditor), 404, 'not_found');
    });

    test('are made, changed from a version, and removed when nobody has them', async () => {
      const admin = await world.newPerson(['admin']);
      const name = newName('night');
      const made = await post('/api/v1/roles', admin, {
        ...{ name, description: 'Night desk', permissions: { 'jobs:read': 'all', 'payments:read': 'all' } },
      });
      expect([made.status, made.body]).toEqual([201, expect.objectContaining({ name, version: 1 })]);
      const person = await world.newPerson([name]);
      const permissions = async () =>
        (await get('/api/v1/auth/me', (await world.newPerson([name])).accessToken)).body.permissions;
      expect(await permissions()).toEqual({ 'jobs:read': 'all', 'payments:read': 'all' });
      const path = `/api/v1/roles/${name}`;
      expectProblem(await patch(path, admin, { description: 'x' }), 428, 'version_required');
      const answers = await Promise.all(
        (['own', 'team'] as const).map((reach) =>
          patch(path, admin, { permissions: { 'payments:read': 'all', 'notes:write': reach } }, 1),
        ),
      );
      expect(tally(answers)).toEqual({ 200: 1, 412: 1 });
      const won = answers.find(({ status }) => status === 200)!;
      const lost = answers.find(({ status }) => status === 412)!;
      expect(expectProblem(lost, 412, 'changed_meanwhile')).toMatchObject({
        present: won.body,
        wanted: { permissions: { 'payments:read': 'all' } },
      });
      expect(await permissions()).toEqual(won.body.permissions);
      const wider = { ...won.body.permissions, 'notes:write': 'all' };
      expect((await patch(path, admin, { description: 'Nights' }, 2)).body).toEqual({
        ...won.body,
        ...{ description: 'Nights', version: 3, changedAt: expect.any(String) },
      });
      expect((await patch(path, admin, { permissions: wider }, 3)).body).toMatchObject({
        ...{ description: 'Nights', permissions: wider, version: 4 },
      });
      const inUse = expectProblem(await call('DELETE', path, admin), 409, 'role_in_use');
      expect(inUse.holders).toBeGreaterThanOrEqual(1);
      expect(await rolesOf(person)).toEqual([name]);
      await world.db.query('delete from staff.user_roles where role = $1', [name]);
      expect((await call('DELETE', path, admin)).status).toBe(204);
      expectProblem(await call('DELETE', path, admin), 404, 'not_found');
      expect((await entries(name)).map(({ action }) => action)).toEqual(
        expect.arrayContaining(['role.created', 'role.changed', 'role.removed', 'role_permission.changed']),
      );
    });

    test('of the software are not changed, taken or removed', async () => {
      const admin = await world.newPerson(['admin']);
      expectProblem(await patch('/api/v1/roles/agent', admin, { permissions: {} }, 1), 409, 'built_in_role');
      expectProblem(await call('DELETE', '/api/v1/roles/agent', admin), 409, 'built_in_role');
      const body = { name: 'agent', description: 'x', permissions: {} };
      expectProblem(await post('/api/v1/roles', admin, body), 409, 'name_taken');
    });

    test('are made of permissions that there are, and of nothing else', async () => {
      const admin = await world.newPerson(['admin']);
      const good = { name: newName('bad'), description: 'x', permissions: {} };
      for (const changes of [
        { name: 'Has Space' },
        { description: '' },
        { permissions: { 'everything:do': 'all' } },
        { permissions: { 'users:read': 'everywhere' } },
        { permissions: { 'jobs:read': 'team' } },
        { permissions: { __proto__x: 'all' } },
        { builtIn: true },
        { version: 4 },
      ]) {
        expectProblem(await post('/api/v1/roles', admin, { ...good, ...changes }), 422, 'invalid_request');
      }
    });

    test('are worth no more than what their maker holds, towards everybody', async () => {
      const maker = await newPersonWith({ 'users:read': 'all', 'roles:manage': 'all', 'jobs:read': 'all' });
      const strong = await newPersonWith({ 'users:manage': 'all' });
      const body = (permissions: object) => ({ name: newName('made'), description: 'x', permissions });
      expect((await post('/api/v1/roles', maker, body({ 'users:read': 'team' }))).status).toBe(201);
      for (const answer of [
        post('/api/v1/roles', maker, body({ 'users:manage': 'own' })),
        patch(`/api/v1/roles/${maker.role}`, maker, { permissions: { 'users:manage': 'all' } }, 1),
        patch(`/api/v1/roles/${strong.role}`, maker, { permissions: {} }, 1),
        call('DELETE', `/api/v1/roles/${strong.role}`, maker),
      ]) {
        expect(expectProblem(await answer, 403, 'beyond_own_rights').permissions).toEqual(['users:manage']);
      }
      const narrow = await newPersonWith({ 'users:read': 'all', 'roles:manage': 'team' });
      const auditor = await world.newPerson(['auditor']);
      for (const who of [narrow, auditor]) {
        for (const answer of [
          post('/api/v1/roles', who, body({})),
          patch(`/api/v1/roles/${narrow.role}`, who, { description: 'x' }, 1),
          call('DELETE', `/api/v1/roles/${narrow.role}`, who),
        ]) {
          expectProblem(await answer, 404, 'not_found');
        }
      }
    });

    test('that are removed and given at the same time are one of the two', async () => {
      const admin = await world.newPerson(['admin']);
      for (let round = 0; round < 5; round++) {
        const name = newName('gone');
        await world.db.query(`insert into staff.roles (name, description) values ($1, 'x')`, [name]);
        const person = await world.newPerson([]);
        const username = newName('new');
        const [removed, ...given] = await Promise.all([
          call('DELETE', `/api/v1/roles/${name}`, admin),
          call('PUT', `/api/v1/users/${person.id}/roles/${name}`, admin),
          post('/api/v1/users', admin, { username, displayName: 'x', password: first, roles: [name] }),
        ]);
        const left = await world.db.query('select from staff.user_roles where role = $1', [name]);
        const hasRole = given.filter(({ status }) => status < 300);
        expect(left).toHaveLength(hasRole.length);
        expect(removed!.status).toBe(hasRole.length > 0 ? 409 : 204);
      }
    });

    test('are made of permissions that everybody who is somebody may list', async () => {
      const agent = await world.newPerson(['agent']);
      const { body } = await get('/api/v1/permissions', agent);
      expect(body.data).toContainEqual({
        ...{ name: 'notes:write', description: expect.any(String), held: 'own' },
      });
      expect(body.data).toContainEqual(expect.objectContaining({ name: 'users:manage', held: null }));
      expectProblem(await ask(`${world.edge.urls.api}/api/v1/permissions`), 401, 'unauthenticated');
    });
  });

  describe('API keys', () => {
    const newKey = (by: TestPerson | string, changes: object = {}) =>
      post('/api/v1/api-keys', by, {
        ...{ name: newName('key'), scopes: ['payments:read'], expiresAt: inDays(30) },
        ...changes,
      });

    test('are made with a token that is shown once, and work', async () => {
      const admin = await world.newPerson(['admin']);
      const answer = await newKey(admin, { scopes: ['payments:read', 'keys:read'] });
      const { token, ...key } = answer.body;
      expect([answer.status, key]).toEqual([
        201,
        {
          ...{
            prefix: token.split('_')[1],
            name: expect.any(String),
            scopes: ['payments:read', 'keys:read'],
          },
          ...{ status: 'live', createdBy: `user:${admin.username}`, createdAt: expect.any(String) },
          ...{ expiresAt: expect.any(String), lastUsedAt: null, revokedAt: null, revokedBy: null },
          ...{ replaces: null, replacedBy: null },
        },
      ]);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      const listed = await get('/api/v1/api-keys', token);
      expect(listed.body.data).toContainEqual(expect.objectContaining({ prefix: key.prefix }));
      expect(listed.text).not.toContain(token.split('_')[2]);
      expect(await entries(key.prefix)).toEqual([
        { action: 'api_key.created', actor: `user:${admin.username}` },
      ]);
    });

    test('are worth no more than what their maker holds, and end within the limit', async () => {
      const maker = await newPersonWith({
        'keys:manage': 'own',
        'jobs:read': 'all',
        'sessions:read': 'team',
      });
      expect((await newKey(maker, { scopes: ['jobs:read'] })).status).toBe(201);
      for (const scope of ['payments:read', 'sessions:read', 'keys:manage']) {
        const problem = expectProblem(
          await newKey(maker, { scopes: ['jobs:read', scope] }),
          403,
          'beyond_own_rights',
        );
        expect(problem.permissions).toEqual([scope]);
      }
      const admin = await world.newPerson(['admin']);
      for (const changes of [
        { expiresAt: null },
        { expiresAt: inDays(91) },
        { expiresAt: inDays(-1) },
        { expiresAt: 'tomorrow' },
        { expiresAt: undefined },
        { scopes: [] },
        { scopes: ['everything:do'] },
        { name: '' },
        { prefix: 'abcdefghijkl' },
        { actor: 'user:someone' },
      ]) {
        expectProblem(await newKey(admin, changes), 422, 'invalid_request');
      }
    });

    test('are rotated: the new one is worth the same, the old one ends after a while', async () => {
      const admin = await world.newPerson(['admin']);
      const old = (await newKey(admin, { scopes: ['jobs:read'] })).body;
      const path = `/api/v1/api-keys/${old.prefix}`;
      const answers = await Promise.all([1, 2].map(() => post(`${path}/rotate`, admin, { graceHours: 1 })));
      expect(tally(answers)).toEqual({ 201: 1, 409: 1 });
      const { token, ...next } = answers.find(({ status }) => status === 201)!.body;
      expect(next).toMatchObject({
        scopes: ['jobs:read'],
        name: old.name,
        replaces: old.prefix,
        status: 'live',
      });
      const lifetime = (key: { createdAt: string; expiresAt: string }) =>
        new Date(key.expiresAt).getTime() - new Date(key.createdAt).getTime();
      expect(Math.abs(lifetime(next) - lifetime(old))).toBeLessThan(30_000);
      const ended = answers.find(({ status }) => status === 409)!;
      expect(expectProblem(ended, 409, 'key_ended')).toMatchObject({ replacedBy: next.prefix });
      for (const live of [old.token, token]) expect((await get('/api/v1/jobs', live)).status).toBe(200);
      const after = (await get(path, admin)).body;
      expect(after).toMatchObject({ replacedBy: next.prefix, status: 'live' });
      expect(new Date(after.expiresAt).getTime()).toBeLessThan(Date.now() + 3_700_000);
      // At once, when it has leaked.
      const last = (await post(`/api/v1/api-keys/${next.prefix}/rotate`, admin, { graceHours: 0 })).body;
      expect((await get(`/api/v1/api-keys/${next.prefix}`, admin)).body.status).toBe('expired');
      expect((await get('/api/v1/jobs', last.token)).status).toBe(200);
      for (const body of [{ graceHours: 169 }, { graceHours: -1 }, { scopes: ['jobs:run'] }]) {
        const refused = await post(`/api/v1/api-keys/${last.prefix}/rotate`, admin, body);
        expectProblem(refused, 422, 'invalid_request');
      }
      // What one does not hold one does not get by rotating it.
      const weak = await newPersonWith({ 'keys:manage': 'all' });
      expectProblem(await post(`/api/v1/api-keys/${last.prefix}/rotate`, weak, {}), 403, 'beyond_own_rights');
    });

    test('are revoked, and that stays', async () => {
      const admin = await world.newPerson(['admin']);
      const key = (await newKey(admin, { scopes: ['jobs:read'] })).body;
      const path = `/api/v1/api-keys/${key.prefix}`;
      const revoked = await post(`${path}/revoke`, admin);
      expect([revoked.status, revoked.body]).toEqual([
        200,
        expect.objectContaining({ status: 'revoked', revokedBy: `user:${admin.username}` }),
      ]);
      expectProblem(await get('/api/v1/jobs', key.token), 401, 'unauthenticated');
      expect((await post(`${path}/revoke`, admin)).body).toEqual(revoked.body);
      expectProblem(await post(`${path}/rotate`, admin, {}), 409, 'key_ended');
      expectProblem(await post('/api/v1/api-keys/abcdefghijkl/revoke', admin), 404, 'not_found');
    });

    test('are seen and ended by reach: everybody’s, the team’s, one’s own', async () => {
      const team = newName('team');
      const permissions = (reach: Reach) =>
        ({ 'keys:read': reach, 'keys:manage': reach, 'jobs:read': 'all' }) as const;
      const own = await newPersonWith(permissions('own'), team);
      const lead = await newPersonWith(permissions('team'), team);
      const far = await newPersonWith(permissions('own'), newName('team'));
      const keys: Record<string, string> = {};
      for (const [name, who] of Object.entries({ own, lead, far })) {
        keys[name] = (await newKey(who, { scopes: ['jobs:read'] })).body.prefix;
      }
      const seen = async (who: TestPerson) =>
        (await get('/api/v1/api-keys', who)).body.data
          .map(({ prefix }: { prefix: string }) => prefix)
          .toSorted();
      expect(await seen(own)).toEqual([keys.own]);
      expect(await seen(lead)).toEqual([keys.own, keys.lead].toSorted());
      expect(await seen(await world.newPerson(['auditor']))).toEqual(
        expect.arrayContaining([keys.own, keys.lead, keys.far]),
      );
      for (const [who, prefix] of [
        [own, keys.lead],
        [lead, keys.far],
      ] as const) {
        expectProblem(await get(`/api/v1/api-keys/${prefix}`, who), 404, 'not_found');
        expectProblem(await post(`/api/v1/api-keys/${prefix}/rotate`, who, {}), 404, 'not_found');
        expectProblem(await post(`/api/v1/api-keys/${prefix}/revoke`, who), 404, 'not_found');
      }
      expect((await post(`/api/v1/api-keys/${keys.own}/revoke`, lead)).body.status).toBe('revoked');
    });

    test('that nobody uses are found, in pages', async () => {
      const admin = await world.newPerson(['admin']);
      const mine = `createdBy=user:${admin.username}`;
      const prefixes: string[] = [];
      for (let i = 0; i < 3; i++) prefixes.unshift((await newKey(admin)).body.prefix);
      await world.db.query(
        `update staff.api_keys set created_at = now() - interval '60 days',
           last_used_at = case when prefix = $1 then now() - interval '40 days' else now() end
         where prefix = any ($2)`,
        [prefixes[0], prefixes.slice(0, 2)],
      );
      const list = async (query: string) =>
        (await get(`/api/v1/api-keys?${mine}&${query}`, admin)).body as {
          data: Array<{ prefix: string }>;
          next: string | null;
        };
      const names = ({ data }: { data: Array<{ prefix: string }> }) => data.map(({ prefix }) => prefix);
      expect(names(await list(`unusedSince=${inDays(-30)}`))).toEqual([prefixes[0]]);
      const firstPage = await list('limit=2');
      const secondPage = await list(`limit=2&after=${encodeURIComponent(firstPage.next as string)}`);
      expect(secondPage.next).toBeNull();
      expect([...names(firstPage), ...names(secondPage)].toSorted()).toEqual(prefixes.toSorted());
      expect(names(await list('status=revoked'))).toEqual([]);
      for (const query of ['status=x', 'unusedSince=yesterday', 'after=x', 'limit=x']) {
        expectProblem(await get(`/api/v1/api-keys?${query}`, admin), 400, 'invalid_query');
      }
    });

    test('are not there for whoever may not', async () => {
      const agent = await world.newPerson(['agent']);
      const auditor = await world.newPerson(['auditor']);
      const key = (await newKey(await world.newPerson(['admin']))).body;
      for (const path of ['/api/v1/api-keys', `/api/v1/api-keys/${key.prefix}`]) {
        expectProblem(await get(path, agent), 404, 'not_found');
        expectProblem(await ask(`${world.edge.urls.api}${path}`), 401, 'unauthenticated');
        expect((await get(path, auditor)).status).toBe(200);
      }
      for (const who of [agent, auditor, key.token]) {
        for (const path of ['', `/${key.prefix}/rotate`, `/${key.prefix}/revoke`]) {
          expectProblem(await post(`/api/v1/api-keys${path}`, who, {}), 404, 'not_found');
        }
      }
    });
  });

  test('the earlier paths answer bare objects and arrays, with the next page in a Link', async () => {
    const auditor = await world.newPerson(['auditor']);
    const people = [await world.newPerson(['service'], 'seed'), await world.newPerson(['service'])];
    await world.db.query(`update staff.users set status = 'deactivated' where id = $1`, [people[1]!.id]);
    const { id, username } = people[0]!;
    const user = {
      ...{ id, username, name: expect.any(String), email: null, team: 'seed', roles: ['service'] },
      ...{ status: 'ACTIVE', createdAt: expect.any(String), updatedAt: expect.any(String) },
    };
    const page = await get('/api/users?role=service&limit=1', auditor);
    expect(page.body).toHaveLength(1);
    const [, next] = /^<(.+)>; rel="next"$/.exec(page.headers.get('link') ?? '') ?? [];
    const rest = await get(next as string, auditor);
    expect(rest.headers.get('link')).toBeNull();
    expect([...page.body, ...rest.body]).toContainEqual(user);
    for (const status of ['ACTIVE', 'active']) {
      expect((await get(`/api/users?role=service&status=${status}`, auditor)).body).toEqual([user]);
    }
    expect((await get('/api/users?role=service&status=INACTIVE', auditor)).body).toMatchObject([
      { id: people[1]!.id, status: 'INACTIVE' },
    ]);
    expect((await get(`/api/users/${id}`, auditor)).body).toEqual(user);
    const role = { id: 'service', name: 'service', description: expect.any(String) };
    expect((await get(`/api/users/${id}/roles`, auditor)).body).toEqual([role]);
    expect((await get('/api/roles', auditor)).body).toContainEqual(role);
    expect((await get('/api/roles/service/permissions', auditor)).body).toContainEqual({
      ...{ id: 'metrics:read', name: 'metrics:read', description: expect.any(String), reach: 'all' },
    });
    expectProblem(await get('/api/users?status=GONE', auditor), 400, 'invalid_query');
    expectProblem(await get(`/api/users/${nobody}`, auditor), 404, 'not_found');
    expectProblem(await get(`/api/users/${nobody}/roles`, auditor), 404, 'not_found');
    expectProblem(await get('/api/roles/none/permissions', auditor), 404, 'not_found');
  });
});
