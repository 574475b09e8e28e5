// Signing in by password: what it gives, what it refuses, and what stands up to whoever tries.

import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Answer, ask, eventually, expectProblem, tally } from './asking.ts';
import { cookiesOf, fromPage, login, loginFrom, newPersonWithPassword, password } from './signing-in.ts';
import { useWorld } from './world.ts';

const most = 3;

describe.each(['workerd', 'node'] as const)('on %s', { timeout: 120_000 }, (runtime) => {
  const limits = { SESSIONS_PER_PERSON: String(most) };
  const world = useWorld(runtime, { auth: limits });
  const me = (headers: Record<string, string>) => ask(`${world.edge.urls.api}/api/v1/auth/me`, { headers });
  const entries = (username: string) =>
    world.db.query<{ action: string; actor: string; details: Record<string, unknown> | null }>(
      `select action, actor, details from audit.entries
       where subject_kind = 'user' and subject_id = $1 and action ~ '^(sign_in|session|token|password|totp)[.]' order by id`,
      [username],
    );
  const trail = async () =>
    JSON.stringify(await world.db.query('select * from audit.entries where action ~ $1', ['^sign_in']));
  const liveOf = async (username: string) =>
    (
      await world.db.query<{ id: string }>(
        `select s.id from staff.sessions s join staff.users u on u.id = s.user_id
         where u.username = $1 and s.ended_at is null`,
        [username],
      )
    ).map(({ id }) => id);
  const withoutId = ({ status, body }: Answer) => ({ status, ...body, requestId: '' });

  beforeEach(async () => {
    await world.db.query('truncate staff.sign_in_attempts');
  });

  test('a browser gets a session that no script can read, and who it is', async () => {
    const { username } = await newPersonWithPassword(world);
    const answer = await login(world.edge, ` ${username.toUpperCase()} `);
    expect([answer.status, answer.body]).toEqual([
      200,
      expect.objectContaining({ kind: 'user', username, roles: ['agent'], mustChangePassword: false }),
    ]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const set = answer.headers.getSetCookie();
    expect(set).toHaveLength(2);
    for (const cookie of set) {
      expect(cookie).toMatch(/^__Host-recoup_(session|device)=[\w-]{43}; /);
      for (const attribute of ['HttpOnly', 'Secure', 'SameSite=Lax', 'Path=/', 'Max-Age=']) {
        expect(cookie).toContain(attribute);
      }
      expect(cookie).not.toContain('Domain');
    }
    const { session } = cookiesOf(answer);
    expect(answer.text).not.toContain(session.split('=')[1]);
    expect((await me({ cookie: session })).body).toEqual(answer.body);
    const [entry] = (await entries(username)).filter(({ action }) => action === 'sign_in.succeeded');
    expect(entry).toMatchObject({
      actor: `user:${username}`,
      details: { session: answer.body.session.id, kind: 'browser', code: false, known_device: false },
    });
    // What is kept opens nothing.
    const [kept] = await world.db.query<{ hash: string }>(
      `select encode(secret_hash, 'hex') as hash from staff.sessions where id = $1`,
      [answer.body.session.id],
    );
    expect(kept?.hash).toBe(
      createHash('sha256')
        .update(session.split('=')[1] as string)
        .digest('hex'),
    );
  });

  test('a session is always new: what a browser brings along ends, or was never one', async () => {
    const { username, cookie, sessionId } = await newPersonWithPassword(world);
    const planted = `__Host-recoup_session=${'A'.repeat(43)}`;
    const first = cookiesOf(await login(world.edge, username, password, [planted])).session;
    expect(first).not.toBe(planted);
    expect((await me({ cookie: planted })).status).toBe(401);
    const second = cookiesOf(await login(world.edge, username, password, [cookie])).session;
    expect(second).not.toBe(cookie);
    expect(await liveOf(username)).not.toContain(sessionId);
    const gone = await eventually(
      () => me({ cookie }),
      ({ status }) => status === 401,
      7_000,
    );
    expect(gone.status).toBe(401);
    expect((await me({ cookie: second })).status).toBe(200);
  });

  test('another site cannot sign a browser in, and nothing is tried for it', async () => {
    const { username } = await newPersonWithPassword(world);
    const url = `${world.edge.urls.api}/api/v1/auth/login`;
    for (const headers of [
      {},
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
    ]) {
      const answer = await ask(url, {
        method: 'POST',
        body: JSON.stringify({ username, password }),
        headers: { 'content-type': 'application/json', ...(headers as object) },
      });
      expectProblem(answer, 403, 'cross_site');
      expect(answer.headers.getSetCookie()).toEqual([]);
    }
    const form = await ask(url, {
      method: 'POST',
      body: JSON.stringify({ username, password }),
      headers: { 'content-type': 'text/plain', origin: new URL(url).origin },
    });
    expectProblem(form, 415, 'unsupported_media_type');
    expect(await world.db.query('select from staff.sign_in_attempts')).toEqual([]);
  });

  test('a wrong password, nobody and somebody deactivated are refused alike, and no typed name is kept', async () => {
    const known = await newPersonWithPassword(world);
    const left = await newPersonWithPassword(world);
    await world.db.query(`update staff.users set status = 'deactivated' where id = $1`, [left.id]);
    const typed = 'my-secret-typed-in-the-wrong-field';
    const answers = [
      await login(world.edge, known.username, 'wrong password'),
      await login(world.edge, typed),
      await login(world.edge, left.username),
    ];
    for (const answer of answers) {
      expectProblem(answer, 401, 'sign_in_failed');
      expect(withoutId(answer)).toEqual(withoutId(answers[0] as Answer));
      expect(answer.headers.getSetCookie()).toEqual([]);
    }
    expect((await entries(known.username)).at(-1)).toEqual({
      action: 'sign_in.failed',
      actor: 'anonymous',
      details: { because: 'password', known_device: false },
    });
    const all = await trail();
    expect(all).toContain('name_hash');
    for (const secret of [typed, password, 'wrong password']) expect(all).not.toContain(secret);
    const counters = JSON.stringify(
      await world.db.query('select kind, key::text from staff.sign_in_attempts'),
    );
    expect(counters).not.toContain(typed);
  });

  test('what is no name or password at all is a fault of the request', async () => {
    for (const body of [
      {},
      { username: 'x' },
      { username: 'a\u0000b', password },
      { username: 'x', password: '' },
    ]) {
      expectProblem(await fromPage(world.edge, '/api/v1/auth/login', body), 422, 'invalid_request');
    }
  });

  test('nobody takes as long as somebody', async () => {
    const { username } = await newPersonWithPassword(world);
    const times = async (name: string) => {
      const taken: number[] = [];
      for (let i = 0; i < 4; i++) taken.push((await login(world.edge, name, 'wrong password')).ms);
      return taken.toSorted((a, b) => a - b)[1] as number;
    };
    const ratio = (await times(username)) / (await times('nobody-at-all'));
    expect(ratio).toBeGreaterThan(1 / 4);
    expect(ratio).toBeLessThan(4);
  });

  test('an attacker is locked out, many tries at once included, and the owner is not', async () => {
    const { username } = await newPersonWithPassword(world);
    const { device } = cookiesOf(await login(world.edge, username));
    for (const name of [username, 'nobody-at-all']) {
      const tries = await Promise.all(
        Array.from({ length: 8 }, () => login(world.edge, name, 'wrong password')),
      );
      // Five are tried; the others wait, or the isolate has too much to do.
      expect(tally(tries)[401] ?? 0).toBeLessThanOrEqual(5);
      expect(tally(tries)[200]).toBe(undefined);
      const locked = await eventually(
        () => login(world.edge, name, 'wrong password'),
        ({ status }) => status === 429,
        10_000,
      );
      expectProblem(locked, 429, 'too_many_attempts');
      expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(Number(locked.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    }
    // That it has closed is written down, and not each knock at it.
    const noted = async () =>
      (await entries(username)).filter(({ action }) => action === 'sign_in.locked').length;
    const before = await noted();
    expect(before).toBeGreaterThan(0);
    for (let i = 0; i < 3; i++) expect((await login(world.edge, username)).status).toBe(429);
    expect(await noted()).toBe(before);
    // The owner's browser is known, and another address has another count.
    const owner = await login(world.edge, username, password, [device]);
    expect(owner.status).toBe(200);
    if (runtime === 'node') expect(await loginFrom('127.0.0.2', world.edge, username, password)).toBe(200);
  });

  test('what an attacker does to a name or from an address holds up strangers only', async () => {
    const person = await newPersonWithPassword(world);
    const other = await newPersonWithPassword(world);
    const { device } = cookiesOf(await login(world.edge, person.username));
    await login(world.edge, other.username, 'wrong password');
    for (const [kind, name] of [
      ['name', person.username],
      ['address', person.username],
      ['address', 'nobody-at-all'],
    ]) {
      await login(world.edge, person.username, 'wrong password');
      await world.db.query(
        `update staff.sign_in_attempts set failures = case kind when $1 then 60 else 0 end, last_at = now()`,
        [kind],
      );
      expectProblem(await login(world.edge, name as string), 429, 'too_many_attempts');
      expect((await login(world.edge, person.username, password, [device])).status).toBe(200);
      await world.db.query('truncate staff.sign_in_attempts');
    }
    // A browser is known for those who have signed in from it, and for nobody else.
    await login(world.edge, other.username, 'wrong password');
    await world.db.query('update staff.sign_in_attempts set failures = 60, last_at = now()');
    expect((await login(world.edge, other.username, password, [device])).status).toBe(429);
  });

  test('who guesses from a known browser waits there, and signing in forgets the guesses', async () => {
    const { username } = await newPersonWithPassword(world);
    const { device } = cookiesOf(await login(world.edge, username));
    await login(world.edge, username, 'wrong password', [device]);
    await world.db.query(
      `update staff.sign_in_attempts set failures = 4, last_at = now() where kind = 'device'`,
    );
    expect((await login(world.edge, username, password, [device])).status).toBe(200);
    expect(await world.db.query(`select failures from staff.sign_in_attempts where kind = 'device'`)).toEqual(
      [{ failures: 0 }],
    );
    await world.db.query(
      `update staff.sign_in_attempts set failures = 6, last_at = now() where kind = 'device'`,
    );
    const waiting = await login(world.edge, username, password, [device]);
    expect(waiting.status).toBe(429);
    expect(Number(waiting.headers.get('retry-after'))).toBeGreaterThan(30);
  });

  test('the wait doubles up to a limit', async () => {
    const waits = await world.db.query(
      `select kind, array(select extract(epoch from staff.backoff(kind, f))::int from unnest($1::int[]) f) as seconds
       from unnest(array['device', 'name_and_address', 'address', 'name']) kind`,
      [[4, 5, 6, 7, 29, 30, 31, 49, 50, 51, 1_000_000]],
    );
    expect(waits).toEqual([
      { kind: 'device', seconds: [0, 30, 60, 120, 3600, 3600, 3600, 3600, 3600, 3600, 3600] },
      { kind: 'name_and_address', seconds: [0, 30, 60, 120, 3600, 3600, 3600, 3600, 3600, 3600, 3600] },
      { kind: 'address', seconds: [0, 0, 0, 0, 0, 30, 60, 900, 900, 900, 900] },
      { kind: 'name', seconds: [0, 0, 0, 0, 0, 0, 0, 0, 30, 60, 300] },
    ]);
  });

  // In this process the doors wait for the same thread, and let requests in one by one.
  if (runtime === 'workerd') {
    test('an isolate takes on so many passwords and no more, and does not count the others', async () => {
      const names = Array.from({ length: 24 }, (_, i) => `crowd-${i}`);
      const failed = async () =>
        (await world.db.query(`select from staff.sign_in_attempts where kind = 'name' and failures > 0`))
          .length;
      const before = await failed();
      const answers = await Promise.all(names.map((name) => login(world.edge, name)));
      expect(answers.every(({ status }) => status === 401 || status === 503)).toBe(true);
      const turnedAway = answers.filter(({ headers }) => headers.get('retry-after') === '2');
      expect(turnedAway.length).toBeGreaterThan(0);
      expectProblem(turnedAway[0] as Answer, 503, 'unavailable');
      expect((await failed()) - before).toBeLessThanOrEqual(answers.length - turnedAway.length);
    });
  }

  test('beyond the limit the oldest session ends, also when several begin at once', async () => {
    const { username, sessionId } = await newPersonWithPassword(world);
    expect(await liveOf(username)).toContain(sessionId);
    const { device } = cookiesOf(await login(world.edge, username));
    const answers = await Promise.all([1, 2, 3].map(() => login(world.edge, username, password, [device])));
    expect(tally(answers)).toEqual({ 200: 3 });
    const live = await liveOf(username);
    expect(live).toHaveLength(most);
    expect(live.toSorted()).toEqual(answers.map(({ body }) => body.session.id).toSorted());
    const ended = (await entries(username)).filter(({ action }) => action === 'session.ended');
    expect(ended).toHaveLength(3);
    expect(ended.every(({ details }) => details?.because === 'limit')).toBe(true);
  });

  test('a hash of another cost is made anew when its password is at hand', async () => {
    const { hashPassword, scryptCost } = await import('../../shared/staff/password-hash.ts');
    const { scryptHere } = await import('../../workers/auth/scrypt.ts');
    const { username, id } = await newPersonWithPassword(world);
    const cheap = await hashPassword(
      (secret, salt, cost) => scryptHere(secret, salt, { ...cost, p: 1 }),
      password,
    );
    const kept = cheap.replace(`p=${scryptCost.p}`, 'p=1');
    await world.db.query('update staff.passwords set hash = $2 where user_id = $1', [id, kept]);
    expect((await login(world.edge, username, 'wrong password')).status).toBe(401);
    const hash = async () =>
      (await world.db.query<{ hash: string }>('select hash from staff.passwords where user_id = $1', [id]))[0]
        ?.hash;
    expect(await hash()).toBe(kept);
    expect((await login(world.edge, username)).status).toBe(200);
    expect(await hash()).toContain(`p=${scryptCost.p}$`);
    expect((await login(world.edge, username)).status).toBe(200);
  });

  test('signing out ends the session and clears the cookie', async () => {
    const { username, cookie, sessionId, accessToken } = await newPersonWithPassword(world);
    const answer = await fromPage(world.edge, '/api/v1/auth/logout', {}, [cookie]);
    expect(answer.status).toBe(204);
    expect(answer.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^__Host-recoup_session=; .*Max-Age=0/),
    ]);
    expect(await liveOf(username)).not.toContain(sessionId);
    // The isolate that ended it forgets it at once.
    expect((await ask(`${world.edge.urls.auth}/api/v1/auth/me`, { headers: { cookie } })).status).toBe(401);
    expect((await me({ authorization: `Bearer ${accessToken}` })).status).toBe(200);
    expect((await entries(username)).at(-1)).toMatchObject({
      action: 'session.ended',
      details: { session: sessionId, because: 'signed_out' },
    });
    const key = await world.newKey(['payments:read']);
    const byKey = await ask(`${world.edge.urls.api}/api/v1/auth/logout`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
    });
    expectProblem(byKey, 404, 'not_found');
  });
});
