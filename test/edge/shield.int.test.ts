// What stands around every route of the staff API: what browsers are told, who may ask from other pages, how often.

import { describe, expect, test } from 'vitest';
import { createAuth } from '../../workers/auth/main.ts';
import { declaredIn } from '../../workers/route.ts';
import { ask, expectProblem, read, tally } from './asking.ts';
import { useWorld } from './world.ts';

const console = 'https://console.example.com';
const stranger = 'https://evil.example';
const userLimit = 20;
const keyLimit = 40;

describe.each(['workerd', 'node'] as const)('on %s', (runtime) => {
  const staff = {
    ALLOWED_ORIGINS: console,
    USER_RATE_LIMIT_PER_MINUTE: String(userLimit),
    KEY_RATE_LIMIT_PER_MINUTE: String(keyLimit),
  };
  const world = useWorld(runtime, { api: staff, auth: staff });
  const at = (path: string, init?: RequestInit) => ask(`${world.edge.urls.api}${path}`, init);

  test.each([
    ['a refusal', '/api/v1/jobs'],
    ['nothing at all', '/nothing'],
    ['health', '/health'],
    ['what the auth Worker answers', '/api/v1/auth/me'],
  ])('%s tells browsers to keep, frame and run nothing', async (_, path) => {
    const { headers } = await at(path);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'strict-transport-security': expect.stringMatching(/^max-age=\d{8}/),
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
    expect(headers.get('access-control-allow-origin')).toBe(null);
  });

  test('a page of an allowed origin may ask and change, any other page neither', async () => {
    const { cookie } = await world.newPerson(['operations']);
    const preflight = (origin: string) =>
      at('/api/v1/jobs/none/run', {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'content-type',
        },
      });
    const allowed = await preflight(console);
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([204, console]);
    expect(allowed.headers.get('access-control-allow-credentials')).toBe('true');
    for (const origin of [stranger, `${console}.evil.example`, 'null', console.replace('https', 'http')]) {
      expect((await preflight(origin)).headers.get('access-control-allow-origin')).toBe(null);
      const answer = await at('/api/v1/jobs/none/run', { method: 'POST', headers: { origin, cookie } });
      expectProblem(answer, 403, 'cross_site');
      expect(answer.headers.get('access-control-allow-origin')).toBe(null);
    }
    const changed = await at('/api/v1/jobs/none/run', {
      method: 'POST',
      headers: { origin: console, cookie },
    });
    expectProblem(changed, 404, 'not_found');
    expect(changed.headers.get('access-control-allow-origin')).toBe(console);
  });

  test('a person and a key are each told to wait when they ask too often, and nobody else is', async () => {
    const [busy, other] = [await world.newPerson(['operations']), await world.newPerson(['operations'])];
    const asked = async (headers: Record<string, string>, times: number) => {
      const answers = [];
      for (let i = 0; i < times; i++) answers.push(await at('/api/v1/jobs', { headers }));
      return answers;
    };
    // The minute may turn in between, so one and a half times what a minute allows is not refused for certain, and twice
    // and a bit is.
    const answers = await asked({ cookie: busy.cookie }, userLimit * 2 + 2);
    expect(tally(answers)[429]).toBeGreaterThanOrEqual(1);
    const refused = answers.find(({ status }) => status === 429);
    expectProblem(refused!, 429, 'rate_limited');
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
    // The same person by another credential is the same person.
    const byToken = await asked({ authorization: `Bearer ${busy.accessToken}` }, 1);
    expect(tally(byToken)).toEqual({ 429: 1 });
    expect(tally(await asked({ cookie: other.cookie }, 1))).toEqual({ 200: 1 });
    const key = await world.newKey(['jobs:read']);
    const byKey = await asked({ authorization: `Bearer ${key}` }, keyLimit * 2 + 2);
    expect(tally(byKey)[429]).toBeGreaterThanOrEqual(1);
    expect(tally(byKey)[200]).toBeGreaterThanOrEqual(keyLimit);
  });

  test('an address may try few passwords, codes and refresh tokens, wherever they are taken', async () => {
    const edge = await world.anotherEdge({ auth: { SIGN_IN_RATE_LIMIT_PER_MINUTE: '4' } });
    const taking = declaredIn(createAuth()).filter(({ spec }) => spec.takesSecrets);
    const tried = (path: string, method = 'POST') => ask(`${edge.urls.api}${path}`, { method });
    expect(taking.length).toBeGreaterThan(5);
    for (const { method, path } of taking) {
      const answers = [];
      // The minute may turn in between.
      for (let i = 0; i < 9; i++) answers.push(await tried(path, method));
      expect(tally(answers)[429], path).toBeGreaterThanOrEqual(1);
      expectProblem(answers.find(({ status }) => status === 429)!, 429, 'rate_limited');
    }
    // What takes none of them has the usual limit.
    expectProblem(await tried('/api/v1/auth/me', 'GET'), 401, 'unauthenticated');
  });

  test('an address that asks too often is told to wait before it is asked who it is', async () => {
    const few = { ADDRESS_RATE_LIMIT_PER_MINUTE: '10' };
    const edge = await world.anotherEdge({ api: few });
    const answers = [];
    for (let i = 0; i < 22; i++) answers.push(await read(edge, '/api/v1/jobs', 'garbage'));
    expect(tally(answers)[429]).toBeGreaterThanOrEqual(1);
    expect((tally(answers)[401] ?? 0) + (tally(answers)[429] ?? 0)).toBe(answers.length);
  });
});
