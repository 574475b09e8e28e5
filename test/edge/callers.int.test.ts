// Who calls is decided by a cookie, an access token or a key, and by nothing else a request says.

import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { type Answer, ask, eventually, expectProblem, read } from './asking.ts';
import { unlikeRuntimes } from './runtimes.ts';
import { type TestPerson, useWorld } from './world.ts';

describe.each(unlikeRuntimes)('on %s', (runtime) => {
  const world = useWorld(runtime);
  const get = (path: string, headers: Record<string, string>): Promise<Answer> =>
    ask(`${world.edge.urls.api}${path}`, { headers });
  const post = (path: string, headers: Record<string, string>): Promise<Answer> =>
    ask(`${world.edge.urls.api}${path}`, { method: 'POST', headers });
  const waysOf = ({ cookie, accessToken }: TestPerson): Array<Record<string, string>> => [
    { cookie },
    { authorization: `Bearer ${accessToken}` },
  ];
  const customer = '/api/v1/customers/none';
  const jobRun = '/api/v1/jobs/none/run';

  test('a cookie and an access token make the same person, with what their roles add up to', async () => {
    const person = await world.newPerson(['agent', 'operations'], 'north');
    for (const [headers, kind] of [
      [{ cookie: person.cookie }, 'browser'],
      [{ authorization: `Bearer ${person.accessToken}` }, 'client'],
    ] as Array<[Record<string, string>, string]>) {
      const { status, body } = await get('/api/v1/auth/me', headers);
      expect([status, body]).toEqual([
        200,
        {
          kind: 'user',
          id: person.id,
          username: person.username,
          name: expect.any(String),
          email: null,
          team: 'north',
          roles: ['agent', 'operations'],
          permissions: expect.objectContaining({ 'notes:write': 'own', 'jobs:run': 'all' }),
          mustChangePassword: false,
          session: { id: expect.any(String), kind },
        },
      ]);
      expect(body.permissions).not.toHaveProperty('users:read');
    }
  });

  test('a role of the database is worth its permissions, and an unknown one nothing', async () => {
    await world.db.query(`insert into staff.roles (name, description) values ('night-desk', 'Night')`);
    await world.db.query(`insert into staff.role_permissions values ('night-desk', 'jobs:read', 'all')`);
    const person = await world.newPerson(['night-desk']);
    await world.db.query(`insert into staff.user_roles (user_id, username, role) values ($1, $2, 'admn')`, [
      person.id,
      person.username,
    ]);
    const { body } = await get('/api/v1/auth/me', { cookie: person.cookie });
    expect(body.permissions).toEqual({ 'jobs:read': 'all' });
  });

  test('who lacks the permission is told nothing, who has it is answered', async () => {
    const operator = await world.newPerson(['operations']);
    const agent = await world.newPerson(['agent']);
    for (const headers of waysOf(operator)) expect((await get('/api/v1/jobs', headers)).status).toBe(200);
    for (const headers of waysOf(agent)) {
      expectProblem(await get('/api/v1/jobs', headers), 404, 'not_found');
      expectProblem(await get(customer, headers), 404, 'not_found');
    }
  });

  test('an ended session is nobody’s within five seconds, by cookie and by token', async () => {
    const person = await world.newPerson(['operations']);
    for (const headers of waysOf(person)) expect((await get('/api/v1/jobs', headers)).status).toBe(200);
    await world.db.query('update staff.sessions set ended_at = now() where user_id = $1', [person.id]);
    for (const headers of waysOf(person)) {
      const answer = await eventually(
        () => get('/api/v1/jobs', headers),
        ({ status }) => status === 401,
        7_000,
      );
      expectProblem(answer, 401, 'unauthenticated');
    }
  });

  test.each([
    ['expired', `expires_at = now()`],
    ['idle', `last_used_at = now() - idle_limit`],
  ])('an %s session is nobody’s', async (_, set) => {
    const person = await world.newPerson(['operations']);
    await world.db.query(`update staff.sessions set ${set} where user_id = $1`, [person.id]);
    for (const headers of waysOf(person)) expect((await get('/api/v1/auth/me', headers)).status).toBe(401);
  });

  test('somebody deactivated is nobody', async () => {
    const person = await world.newPerson(['operations']);
    await world.db.query(`update staff.users set status = 'deactivated' where id = $1`, [person.id]);
    for (const headers of waysOf(person)) expect((await get('/api/v1/auth/me', headers)).status).toBe(401);
  });

  test('with a password that was given to them they may only look who they are', async () => {
    const person = await world.newPerson(['operations']);
    await world.db.query('update staff.passwords set must_change = true where user_id = $1', [person.id]);
    for (const headers of waysOf(person)) {
      expect((await get('/api/v1/auth/me', headers)).body.mustChangePassword).toBe(true);
      expectProblem(await get('/api/v1/jobs', headers), 403, 'password_must_change');
    }
  });

  test('a session in use is touched, a key too', async () => {
    const person = await world.newPerson(['operations']);
    const before = `update staff.sessions set last_used_at = now() - interval '5 min' where user_id = $1`;
    await world.db.query(before, [person.id]);
    await get('/api/v1/auth/me', { cookie: person.cookie });
    const token = await world.newKey(['jobs:read']);
    await read(world.edge, '/api/v1/jobs', token);
    const touched = await eventually(
      () =>
        world.db.query<{ session: boolean; key: boolean }>(
          `select (select last_used_at > now() - interval '1 min' from staff.sessions where id = $1) as session,
                  (select last_used_at is not null from staff.api_keys where prefix = $2) as key`,
          [person.sessionId, token.split('_')[1]],
        ),
      ([row]) => row?.session === true && row.key === true,
      5_000,
    );
    expect(touched).toEqual([{ session: true, key: true }]);
  });

  test('another site cannot make a browser change anything', async () => {
    const { cookie, accessToken } = await world.newPerson(['operations']);
    const own = new URL(world.edge.urls.api).origin;
    for (const headers of [
      {},
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: `${own}.evil.example` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
    ]) {
      expectProblem(await post(jobRun, { cookie, ...(headers as object) }), 403, 'cross_site');
    }
    for (const headers of [
      { cookie, origin: own },
      { cookie, 'sec-fetch-site': 'same-origin' },
      { authorization: `Bearer ${accessToken}`, origin: 'https://evil.example' },
    ] as Array<Record<string, string>>) {
      expectProblem(await post(jobRun, headers), 404, 'not_found');
    }
  });

  test('nothing else makes a caller: not a header, not a token of another key, kind, algorithm or audience', async () => {
    const { username, sessionId, accessToken, cookie } = await world.newPerson(['operations']);
    const { keys } = (await ask(`${world.edge.urls.api}/.well-known/jwks.json`)).body;
    expect(keys[0]).toEqual({
      ...{ kty: 'EC', crv: 'P-256', use: 'sig', alg: 'ES256' },
      ...{ kid: expect.any(String), x: expect.any(String), y: expect.any(String) },
    });
    const foreign = await generateKeyPair('ES256', { extractable: true });
    const token = (claims: object, header: object, key: Parameters<SignJWT['sign']>[0]) =>
      new SignJWT({ sid: sessionId, iss: 'urn:recoup:auth', aud: 'urn:recoup:api', sub: username, ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: keys[0].kid, ...header })
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(key);
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
    const [, payload] = accessToken.split('.');
    // The public key as an HMAC's secret, and no signature at all.
    const hmac = new TextEncoder().encode(JSON.stringify(keys[0]));
    const forged = [
      await token({}, {}, foreign.privateKey),
      await token({}, { kid: 'another' }, foreign.privateKey),
      await token({}, { jwk: await exportJWK(foreign.publicKey) }, foreign.privateKey),
      await token({}, { alg: 'HS256' }, hmac),
      `${encode({ alg: 'none', typ: 'at+jwt' })}.${payload}.`,
      `${accessToken.slice(0, -2)}AA`,
      accessToken.split('.').slice(0, 2).join('.'),
      ...['', 'null', 'a.b.c', 'rk_x', cookie.split('=')[1] as string],
    ];
    for (const credential of forged) {
      expectProblem(await read(world.edge, '/api/v1/jobs', credential), 401, 'unauthenticated');
    }
    for (const headers of [
      { 'x-user-id': username, 'x-user-roles': 'admin', 'x-forwarded-user': username },
      { cookie: `recoup_session=${cookie.split('=')[1]}` },
      { cookie: `${cookie}x` },
      // A header is what counts when there is one: the cookie does not stand in for it.
      { cookie, authorization: 'Bearer garbage' },
    ] as Array<Record<string, string>>) {
      expect((await get('/api/v1/jobs', headers)).status).toBe(401);
    }
  });

  test('what a person changes is in the audit trail, with who, from where and by which request', async () => {
    const { username, sessionId, cookie } = await world.newPerson(['operations']);
    const headers = { cookie, 'sec-fetch-site': 'same-origin', 'x-request-id': `audit-${username}` };
    expect((await post('/api/v1/jobs/staging/run', headers)).status).toBe(202);
    const entries = await world.db.query(
      'select actor, request_id, session_id, address from audit.entries where request_id = $1',
      [`audit-${username}`],
    );
    expect(entries).toEqual([
      {
        actor: `user:${username}`,
        request_id: `audit-${username}`,
        session_id: sessionId,
        address: expect.any(String),
      },
    ]);
  });

  test('nobody changes the audit trail', async () => {
    await world.newPerson(['agent']);
    for (const statement of [
      'update audit.entries set actor = $$x$$',
      'delete from audit.entries',
      'truncate audit.entries',
    ]) {
      await expect(world.db.query(statement)).rejects.toMatchObject({ sqlState: '42501' });
    }
  });
});
