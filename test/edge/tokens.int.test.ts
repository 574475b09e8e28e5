// Tokens for programs, and what somebody may do about their own sessions, password and second factor.

import { createHash } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Answer, ask, eventually, expectProblem, tally } from './asking.ts';
import { oneRuntime } from './runtimes.ts';
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

const many = 10_000;

describe.each(oneRuntime)('on %s', { timeout: 120_000 }, (runtime) => {
  const limits = { SESSIONS_PER_PERSON: String(2 * many) };
  const world = useWorld(runtime, { auth: limits });
  const at = (path: string, headers: Record<string, string>, method = 'GET') =>
    ask(`${world.edge.urls.api}${path}`, { method, headers });
  const bearer = (accessToken: string) => ({ authorization: `Bearer ${accessToken}` });
  const me = (headers: Record<string, string>) => at('/api/v1/auth/me', headers);
  const ends = (headers: Record<string, string>) =>
    eventually(
      () => me(headers),
      ({ status }) => status === 401,
      7_000,
    );
  const actionsOf = async (username: string) =>
    (
      await world.db.query<{ action: string }>(
        `select action from audit.entries where subject_kind = 'user' and subject_id = $1
         and action ~ '^(sign_in|session|token|password|totp)[.]' order by id`,
        [username],
      )
    ).map(({ action }) => action);
  const byPassword = (username: string, given = password) =>
    token(world.edge, { grant_type: 'password', username, password: given });

  beforeEach(async () => {
    await world.db.query('truncate staff.sign_in_attempts');
  });

  test('a program gets tokens by name and password, and the next ones by refresh token', async () => {
    const { username } = await newPersonWithPassword(world);
    const { status, headers, body } = await byPassword(username);
    expect([status, body]).toEqual([
      200,
      {
        access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
        token_type: 'Bearer',
        expires_in: 600,
        refresh_token: expect.stringMatching(/^rt_[\w-]{43}$/),
        scope: expect.stringContaining('payments:read'),
      },
    ]);
    expect([headers.get('cache-control'), headers.get('pragma')]).toEqual(['no-store', 'no-cache']);
    expect(headers.getSetCookie()).toEqual([]);
    expect((await me(bearer(body.access_token))).body).toMatchObject({
      username,
      session: { kind: 'client' },
    });
    const next = await token(world.edge, { grant_type: 'refresh_token', refresh_token: body.refresh_token });
    expect(next.status).toBe(200);
    expect(next.body.refresh_token).not.toBe(body.refresh_token);
    const v1 = await postJson(world.edge, '/api/v1/auth/token/refresh', {
      refreshToken: next.body.refresh_token,
    });
    expect([v1.status, v1.body]).toEqual([
      200,
      {
        accessToken: expect.any(String),
        tokenType: 'Bearer',
        expiresIn: 600,
        expiresAt: expect.any(String),
        refreshToken: expect.stringMatching(/^rt_/),
      },
    ]);
    expect((await me(bearer(v1.body.accessToken))).status).toBe(200);
    expect(await actionsOf(username)).toEqual(['sign_in.succeeded', 'token.refreshed', 'token.refreshed']);
    const kept = JSON.stringify(await world.db.query('select * from staff.refresh_tokens'));
    expect(kept).not.toContain(body.refresh_token);
  });

  test('a refresh token that comes a second time ends the whole session', async () => {
    const { username } = await newPersonWithPassword(world);
    const { refresh_token, access_token } = (await byPassword(username)).body;
    const next = (await token(world.edge, { grant_type: 'refresh_token', refresh_token })).body;
    expect((await me(bearer(next.access_token))).status).toBe(200);
    const again = await token(world.edge, { grant_type: 'refresh_token', refresh_token });
    expect([again.status, again.body.error]).toEqual([400, 'invalid_grant']);
    const thief = await postJson(world.edge, '/api/v1/auth/token/refresh', {
      refreshToken: next.refresh_token,
    });
    expectProblem(thief, 401, 'token_refused');
    for (const accessToken of [access_token, next.access_token]) {
      expect((await ends(bearer(accessToken))).status).toBe(401);
    }
    expect(await actionsOf(username)).toEqual([
      'sign_in.succeeded',
      'token.refreshed',
      'session.ended',
      'token.reused',
    ]);
  });

  test('of two refreshes at once one wins, and the session ends for both', async () => {
    const { username } = await newPersonWithPassword(world);
    const { refresh_token } = (await byPassword(username)).body;
    const both = await Promise.all(
      [1, 2].map(() => postJson(world.edge, '/api/v1/auth/token/refresh', { refreshToken: refresh_token })),
    );
    expect(tally(both)).toEqual({ 200: 1, 401: 1 });
    const won = both.find(({ status }) => status === 200) as Answer;
    const { body } = await postJson(world.edge, '/api/v1/auth/token/validate', {
      token: won.body.accessToken,
    });
    expect(body).toEqual({ valid: false });
  });

  test('an ended session, an idle one and that of somebody deactivated are not refreshed', async () => {
    const { username, id } = await newPersonWithPassword(world);
    const { refresh_token } = (await byPassword(username)).body;
    const refresh = () => token(world.edge, { grant_type: 'refresh_token', refresh_token });
    for (const [before, after] of [
      [
        'update staff.sessions set last_used_at = now() - idle_limit where user_id = $1',
        'update staff.sessions set last_used_at = now() where user_id = $1',
      ],
      [
        `update staff.users set status = 'deactivated' where id = $1`,
        `update staff.users set status = 'active' where id = $1`,
      ],
      ['update staff.sessions set ended_at = now() where user_id = $1', undefined],
    ]) {
      await world.db.query(before as string, [id]);
      expect((await refresh()).body.error).toBe('invalid_grant');
      if (after) await world.db.query(after, [id]);
    }
    const unknown = `rt_${'A'.repeat(43)}`;
    for (const refreshToken of [unknown, 'x', `${refresh_token}x`]) {
      expectProblem(
        await postJson(world.edge, '/api/v1/auth/token/refresh', { refreshToken }),
        401,
        'token_refused',
      );
    }
  });

  test('a service gets a token for its key, or for a part of it, as long as the key lives', async () => {
    const key = await world.newKey(['jobs:read', 'payments:read']);
    const prefix = key.split('_')[1] as string;
    const basic = { authorization: `Basic ${btoa(`${prefix}:${key}`)}` };
    const grant = { grant_type: 'client_credentials' };
    const whole = await token(world.edge, grant, basic);
    expect([whole.status, whole.body]).toEqual([
      200,
      {
        access_token: expect.any(String),
        token_type: 'Bearer',
        expires_in: 600,
        scope: 'jobs:read payments:read',
      },
    ]);
    const inBody = { ...grant, client_id: prefix, client_secret: key, scope: 'payments:read' };
    const part = await token(world.edge, inBody);
    expect(part.body.scope).toBe('payments:read');
    const asJson = await postJson(world.edge, '/api/v1/auth/token', inBody);
    expect([asJson.status, asJson.body.scope]).toEqual([200, 'payments:read']);
    expect((await at('/api/v1/jobs', bearer(whole.body.access_token))).status).toBe(200);
    expectProblem(await at('/api/v1/jobs', bearer(part.body.access_token)), 404, 'not_found');
    expect((await me(bearer(part.body.access_token))).body).toMatchObject({
      kind: 'api_key',
      prefix,
      scopes: ['payments:read'],
    });
    const beyond = await token(world.edge, { ...inBody, scope: 'payments:read users:manage' });
    expect([beyond.status, beyond.body.error]).toEqual([400, 'invalid_scope']);
    const other = await world.newKey(['jobs:read']);
    for (const credentials of [
      { client_id: prefix, client_secret: other },
      { client_id: prefix, client_secret: 'x' },
      { client_id: prefix },
      {},
    ] as Array<Record<string, string>>) {
      const refused = await token(world.edge, { ...grant, ...credentials });
      expect([refused.status, refused.body.error]).toEqual([401, 'invalid_client']);
      expect(refused.headers.get('www-authenticate')).toMatch(/^Basic /);
    }
    const validated = await postJson(world.edge, '/api/v1/auth/token/validate', {
      token: part.body.access_token,
    });
    expect(validated.body).toMatchObject({
      valid: true,
      kind: 'api_key',
      subject: prefix,
      permissions: ['payments:read'],
    });
    const entries = await world.db.query(
      `select actor, action from audit.entries where subject_kind = 'api_key' and subject_id = $1 and action ~ '^sign_in' order by id`,
      [prefix],
    );
    expect(entries[0]).toEqual({ actor: `key:${prefix}`, action: 'sign_in.succeeded' });
    await world.db.query('update staff.api_keys set revoked_at = now() where prefix = $1', [prefix]);
    expect((await ends(bearer(whole.body.access_token))).status).toBe(401);
    expect((await token(world.edge, inBody)).status).toBe(401);
  });

  test.each([
    [{}, 'invalid_request'],
    [{ grant_type: 'authorization_code' }, 'unsupported_grant_type'],
    [{ grant_type: 'password', username: 'x' }, 'invalid_request'],
    [{ grant_type: 'password', username: 'x', password: '' }, 'invalid_request'],
    [{ grant_type: 'password', username: 'x', password: 'y', scope: 'users:manage' }, 'invalid_scope'],
    [{ grant_type: 'refresh_token' }, 'invalid_request'],
    [{ grant_type: 'refresh_token', refresh_token: 'x' }, 'invalid_grant'],
  ] as Array<[Record<string, string>, string]>)('the form %j is refused as %s', async (form, error) => {
    const { status, headers, body } = await token(world.edge, form);
    expect([status, body]).toEqual([400, { error, error_description: expect.any(String) }]);
    expect(headers.get('cache-control')).toBe('no-store');
  });

  test('a form that says a thing twice, and what is no form, are refused', async () => {
    const url = `${world.edge.urls.api}/api/v1/auth/token`;
    const send = (body: string, type: string) =>
      ask(url, { method: 'POST', body, headers: { 'content-type': type } });
    const twice = await send(
      'grant_type=password&username=a&username=b&password=c',
      'application/x-www-form-urlencoded',
    );
    expect(twice.body.error).toBe('invalid_request');
    for (const body of ['[', '[]', '{"grant_type":{}}']) {
      expect((await send(body, 'application/json')).body.error).toBe('invalid_request');
    }
    expectProblem(await send('grant_type=password', 'text/plain'), 415, 'unsupported_media_type');
    expectProblem(await send('x'.repeat(17_000), 'application/x-www-form-urlencoded'), 413, 'body_too_large');
  });

  test.each([
    '/api/v1/auth/token',
    '/api/v1/auth/token/refresh',
    '/api/v1/auth/token/validate',
    '/api/auth/login',
    '/api/auth/logout',
    '/api/auth/token/refresh',
    '/api/auth/token/validate',
  ])('a page gets no token from %s, not even one of ours', async (path) => {
    const { username } = await world.newPerson(['agent']);
    for (const origin of ['https://evil.example', new URL(world.edge.urls.api).origin, 'null']) {
      const answer = await postJson(
        world.edge,
        path,
        { grant_type: 'password', username, password },
        { origin },
      );
      expectProblem(answer, 403, 'not_for_browsers');
    }
  });

  test('the paths without version answer as the document has it', async () => {
    const { username, id } = await newPersonWithPassword(world);
    const post = (path: string, body: unknown) => postJson(world.edge, `/api/auth/${path}`, body);
    const failed = await post('login', { username, password: 'wrong password' });
    expect([failed.status, failed.body]).toEqual([401, { success: false, error: expect.any(String) }]);
    const user = { id, username, name: expect.any(String), email: null, roles: ['agent'] };
    const tokens = {
      success: true,
      token: expect.any(String),
      refreshToken: expect.any(String),
      expiresAt: expect.any(String),
    };
    const { status, body } = await post('login', { username, password });
    expect([status, body]).toEqual([200, { ...tokens, user }]);
    expect((await post('token/validate', { token: body.token })).body).toEqual({
      valid: true,
      user,
      expiresAt: expect.any(String),
    });
    const next = await post('token/refresh', { refreshToken: body.refreshToken });
    expect([next.status, next.body]).toEqual([200, tokens]);
    expect((await post('logout', { token: next.body.token })).body).toEqual({ success: true });
    expect((await post('logout', { token: next.body.token })).body).toEqual({ success: false });
    expect((await post('token/validate', { token: next.body.token })).body).toEqual({ valid: false });
    const ended = await post('token/refresh', { refreshToken: next.body.refreshToken });
    expect([ended.status, ended.body]).toEqual([401, { success: false, error: expect.any(String) }]);
    await world.db.query('update staff.sign_in_attempts set failures = 60, last_at = now()');
    const locked = await post('login', { username, password });
    expect([locked.status, locked.body]).toEqual([429, { success: false, error: expect.any(String) }]);
    expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('everybody sees and ends their own sessions, and nobody else’s', async () => {
    const person = await newPersonWithPassword(world);
    const stranger = await world.newPerson(['agent']);
    const own = { cookie: person.cookie, 'sec-fetch-site': 'same-origin' };
    const list = await at('/api/v1/auth/sessions', own);
    expect(list.body).toEqual({
      data: [
        expect.objectContaining({ kind: 'client', present: false, method: 'password', device: 'test' }),
        expect.objectContaining({ id: person.sessionId, kind: 'browser', present: true }),
      ],
      next: null,
    });
    const [client] = list.body.data;
    const first = await at('/api/v1/auth/sessions?limit=1', own);
    expect([first.body.data, first.body.next]).toEqual([[client], client.id]);
    const second = await at(`/api/v1/auth/sessions?limit=1&after=${first.body.next}`, own);
    expect(second.body).toMatchObject({ data: [{ id: person.sessionId }], next: null });
    for (const query of ['limit=0', 'limit=201', 'limit=x', 'after=x', 'user=']) {
      expectProblem(await at(`/api/v1/auth/sessions?${query}`, own), 400, 'invalid_query');
    }
    const foreign = { cookie: stranger.cookie, 'sec-fetch-site': 'same-origin' };
    expectProblem(await at(`/api/v1/auth/sessions?user=${person.username}`, foreign), 404, 'not_found');
    for (const id of [client.id, crypto.randomUUID(), 'x']) {
      expectProblem(await at(`/api/v1/auth/sessions/${id}`, foreign, 'DELETE'), 404, 'not_found');
    }
    expectProblem(
      await at(`/api/v1/auth/sessions?user=${person.username}`, foreign, 'DELETE'),
      404,
      'not_found',
    );
    expect((await at(`/api/v1/auth/sessions/${client.id}`, own, 'DELETE')).status).toBe(204);
    expect((await at(`/api/v1/auth/sessions/${client.id}`, own, 'DELETE')).status).toBe(404);
    expect((await ends(bearer(person.accessToken))).status).toBe(401);
    const more = cookiesOf(await login(world.edge, person.username)).session;
    const all = await at('/api/v1/auth/sessions', own, 'DELETE');
    expect(all.body).toEqual({ ended: 1 });
    expect((await me(own)).status).toBe(200);
    expect((await ends({ cookie: more })).status).toBe(401);
  });

  test('staff see and end the sessions that their permission reaches', async () => {
    const north = await world.newPerson(['agent'], 'north');
    const south = await world.newPerson(['agent'], 'south');
    const supervisor = bearer((await world.newPerson(['supervisor'], 'north')).accessToken);
    const auditor = bearer((await world.newPerson(['auditor'])).accessToken);
    const admin = bearer((await world.newPerson(['admin'])).accessToken);
    const of = (username: string) => `/api/v1/auth/sessions?user=${username}`;
    const key = bearer(await world.newKey(['sessions:read']));
    for (const who of [supervisor, auditor, admin, key]) {
      expect((await at(of(north.username), who)).body.data).toHaveLength(2);
      expectProblem(await at(of('nobody-at-all'), who), 404, 'not_found');
    }
    expect((await at(of(south.username), supervisor)).status).toBe(404);
    expect((await at(of(south.username), auditor)).status).toBe(200);
    for (const who of [auditor, key]) {
      expect((await at(of(north.username), who, 'DELETE')).status).toBe(404);
      expect((await at(`/api/v1/auth/sessions/${north.sessionId}`, who, 'DELETE')).status).toBe(404);
    }
    expect((await at('/api/v1/auth/sessions', key)).status).toBe(404);
    expect((await at(`/api/v1/auth/sessions/${south.sessionId}`, supervisor, 'DELETE')).status).toBe(404);
    expect((await at(`/api/v1/auth/sessions/${north.sessionId}`, supervisor, 'DELETE')).status).toBe(204);
    expect((await at(of(south.username), admin, 'DELETE')).body).toEqual({ ended: 2 });
    expect((await ends({ cookie: south.cookie })).status).toBe(401);
    const [entry] = await world.db.query<{ actor: string; details: object }>(
      `select actor, details from audit.entries where action = 'session.ended' and subject_id = $1`,
      [north.username],
    );
    expect(entry).toMatchObject({ details: { session: north.sessionId, because: 'by_staff' } });
  });

  test('ten thousand sessions of one person are listed, added to and ended in seconds', async () => {
    const { username, id, cookie } = await newPersonWithPassword(world);
    await world.db.query(
      `insert into staff.sessions (user_id, kind, method, device, idle_limit, expires_at, created_at)
       select $1, 'client', 'password', 'many', interval '1 hour', now() + interval '1 hour', now() - n * interval '1 s'
       from generate_series(1, $2::int) n`,
      [id, many],
    );
    const own = { cookie, 'sec-fetch-site': 'same-origin' };
    const list = await at('/api/v1/auth/sessions', own);
    expect(list.body.data).toHaveLength(50);
    const signedIn = await login(world.edge, username);
    expect(signedIn.status).toBe(200);
    for (const { ms } of [list, signedIn]) expect(ms).toBeLessThan(4_000);
    const ended = await at('/api/v1/auth/sessions', own, 'DELETE');
    expect(ended.body).toEqual({ ended: many + 2 });
    expect((await me(own)).status).toBe(200);
  });

  test('a new password ends every other session, and the old one is good for nothing', async () => {
    const person = await newPersonWithPassword(world);
    const { username } = person;
    const { session, device } = cookiesOf(await login(world.edge, username));
    const change = (currentPassword: string, newPassword: string) =>
      fromPage(world.edge, '/api/v1/auth/password', { currentPassword, newPassword }, [session, device]);
    const next = 'a quite different one';
    expectProblem(await change('wrong password', next), 403, 'credential_refused');
    const breached = 'iloveyou iloveyou';
    await world.db.query(
      `insert into staff.breached_passwords values (decode($1, 'hex')) on conflict do nothing`,
      [createHash('sha1').update(breached).digest('hex')],
    );
    for (const [given, code] of [
      ['short', 'too_short'],
      ['x'.repeat(129), 'too_long'],
      [`${username} and more`, 'contains_username'],
      [breached, 'breached'],
      [breached.toUpperCase(), 'breached'],
      [password, 'unchanged'],
    ]) {
      const { errors } = expectProblem(await change(password, given as string), 422, 'invalid_request');
      expect(errors).toEqual([{ field: 'newPassword', code, message: expect.any(String) }]);
    }
    expect((await change(password, next)).status).toBe(204);
    expect((await me({ cookie: session })).status).toBe(200);
    expect((await ends({ cookie: person.cookie })).status).toBe(401);
    expect((await ends(bearer(person.accessToken))).status).toBe(401);
    expect((await login(world.edge, username)).status).toBe(401);
    expect((await login(world.edge, username, next)).status).toBe(200);
    expect(await actionsOf(username)).toContain('password.changed');
    const trail = JSON.stringify(await world.db.query('select * from audit.entries'));
    for (const secret of [password, next, 'wrong password']) expect(trail).not.toContain(secret);
  });

  test('whose password was given to them may set their own, sign out, and nothing else', async () => {
    const { username, id } = await newPersonWithPassword(world, ['admin']);
    await world.db.query('update staff.passwords set must_change = true where user_id = $1', [id]);
    const signedIn = await login(world.edge, username);
    expect(signedIn.body.mustChangePassword).toBe(true);
    const { session } = cookiesOf(signedIn);
    const own = { cookie: session, 'sec-fetch-site': 'same-origin' };
    expectProblem(await at('/api/v1/auth/sessions', own), 403, 'password_must_change');
    expectProblem(await at('/api/v1/auth/sessions', own, 'DELETE'), 403, 'password_must_change');
    expectProblem(await at('/api/v1/jobs', own), 403, 'password_must_change');
    const totp = await fromPage(world.edge, '/api/v1/auth/totp', { password }, [session]);
    expectProblem(totp, 403, 'password_must_change');
    const next = 'a quite different one';
    const changed = await fromPage(
      world.edge,
      '/api/v1/auth/password',
      { currentPassword: password, newPassword: next },
      [session],
    );
    expect(changed.status).toBe(204);
    // At once, wherever they go on.
    expect((await at('/api/v1/jobs', own)).status).toBe(200);
    expect((await at('/api/v1/auth/sessions', own)).status).toBe(200);
  });

  test('with a second factor a code is asked for, and each is good once', async () => {
    const { username, id } = await newPersonWithPassword(world);
    const { session } = cookiesOf(await login(world.edge, username));
    const post = (path: string, body: unknown) =>
      fromPage(world.edge, `/api/v1/auth/${path}`, body, [session]);
    expectProblem(await post('totp', { password: 'wrong password' }), 403, 'credential_refused');
    const enrolled = await post('totp', { password });
    expect([enrolled.status, enrolled.body]).toEqual([
      201,
      { secret: expect.stringMatching(/^[A-Z2-7]{32}$/), uri: expect.stringContaining('otpauth://totp/') },
    ]);
    const { secret } = enrolled.body;
    const [kept] = await world.db.query<{ secret: string }>(
      'select secret from staff.totp where user_id = $1',
      [id],
    );
    expect(kept?.secret).toMatch(/^test:/);
    expect(kept?.secret).not.toContain(secret);
    const code = (steps = 0) =>
      new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: Date.now() + steps * 30_000 });
    // It does not count before it is confirmed.
    expect((await login(world.edge, username)).status).toBe(200);
    expectProblem(await post('totp/confirm', { code: code(5) }), 403, 'credential_refused');
    const first = code();
    expect((await post('totp/confirm', { code: first })).status).toBe(204);
    expectProblem(await post('totp', { password }), 409, 'totp_enrolled');
    expect((await post('totp/confirm', { code: code(1) })).status).toBe(404);
    const withCode = (given?: string) => login(world.edge, username, password, [], given);
    expectProblem(await withCode(), 401, 'code_required');
    expectProblem(await login(world.edge, username, 'wrong password'), 401, 'sign_in_failed');
    expectProblem(await withCode(first), 401, 'sign_in_failed');
    const second = code(1);
    const both = await Promise.all([withCode(second), withCode(second)]);
    expect(tally(both)).toEqual({ 200: 1, 401: 1 });
    expect((await withCode(second)).status).toBe(401);
    const grant = { grant_type: 'password', username, password };
    expect((await token(world.edge, grant)).body.error_description).toContain('code');
    // As if half a minute had passed.
    const again = () => world.db.query('update staff.totp set last_step = 0 where user_id = $1', [id]);
    await again();
    expect((await token(world.edge, { ...grant, code: code() })).status).toBe(200);
    expectProblem(await post('totp/remove', { password, code: '000000' }), 403, 'credential_refused');
    await again();
    expect((await post('totp/remove', { password, code: code() })).status).toBe(204);
    expect((await login(world.edge, username)).status).toBe(200);
    const actions = await actionsOf(username);
    expect(actions.filter((action) => action.startsWith('totp'))).toEqual(['totp.enrolled', 'totp.removed']);
    const trail = JSON.stringify(await world.db.query('select * from audit.entries'));
    for (const hidden of [secret, kept?.secret]) expect(trail).not.toContain(hidden);
  });

  test('who manages people removes the second factor of somebody who has lost it', async () => {
    const person = await world.newPerson(['agent'], 'north');
    await world.db.query(`insert into staff.totp (user_id, secret, confirmed_at) values ($1, 'x', now())`, [
      person.id,
    ]);
    const path = `/api/v1/auth/totp?user=${person.username}`;
    const agent = await world.newPerson(['agent'], 'north');
    expectProblem(await at(path, bearer(agent.accessToken), 'DELETE'), 404, 'not_found');
    const admin = bearer((await world.newPerson(['admin'])).accessToken);
    expect((await at(path, admin, 'DELETE')).status).toBe(204);
    expect((await at(path, admin, 'DELETE')).status).toBe(404);
    expect(await actionsOf(person.username)).toEqual(['totp.removed']);
  });
});
