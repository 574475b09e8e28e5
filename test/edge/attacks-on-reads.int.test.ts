// Attacks by what stands in a path or a query, on every declared read, so that a new route or filter is attacked by
// itself: nothing that is written there becomes part of a statement, a pattern or a place in another list.

import { beforeAll, describe, expect, test } from 'vitest';
import { createApi } from '../../workers/api/main.ts';
import { createAuth } from '../../workers/auth/main.ts';
import { type Declared, declaredIn } from '../../workers/route.ts';
import { type Answer, ask } from './asking.ts';
import { playStory, type Story } from './scenario.ts';
import { unlimited, useWorld } from './world.ts';

const apps = { api: declaredIn(createApi()), auth: declaredIn(createAuth()) };
const reads = [...apps.api, ...apps.auth].filter(({ method }) => method === 'GET');
const parametersOf = ({ spec }: Declared) => Object.keys(spec.query?.def.shape ?? {});
/** What asks how to show a list, or of when, and not for which rows. */
const showing = ['limit', 'after', 'fields', 'format', 'sort', 'from', 'to', 'days'];
const sleepMs = 4_000;

/** What would find more than is there, or stop, if it were more than text. */
const injections = [
  "' or true --",
  "x' union select null --",
  `x'; select pg_sleep(${sleepMs / 1_000}) --`,
  `1) or pg_sleep(${sleepMs / 1_000}) is null --`,
  '%',
  '\\',
  '.*',
  '*:*',
  '{"$ne":null}',
  '__proto__',
  '-9e9',
  '99999999999999999999',
  'x'.repeat(3_000),
];
/** As they stand in a URL: no text at all, or none that Postgres keeps. */
const malformed = ['x%00y', '%FF', '%ED%A0%80', '%u0041', '%0d%0a'];

describe('an attacker who may read everything', { timeout: 120_000 }, () => {
  const world = useWorld('node', { api: unlimited, auth: unlimited });
  let story: Story;
  beforeAll(async () => {
    story = await playStory(world);
    for (let i = 0; i < 3; i++) await world.newPerson(['agent'], 'north');
  }, 120_000);

  const get = (path: string, worker: 'api' | 'auth' = 'api') =>
    ask(`${world.edge.urls[worker]}${path}`, { headers: { authorization: `Bearer ${story.key}` } });
  const nameOf = ({ method, path }: Declared) => `${method} ${path}`;
  const pathOf = (route: Declared, params: Record<string, string> = {}) =>
    route.path.replace(/:(\w+)/g, (_, name) => params[name] ?? 'none');
  /** Of something that exists, where the story has it. */
  const knownPath = (route: Declared) => {
    const params = Object.values(story.examples[nameOf(route)] ?? {})[0]?.params ?? { report: 'lockouts' };
    return pathOf(
      route,
      Object.fromEntries(Object.entries(params).map(([k, v]) => [k, encodeURIComponent(v)])),
    );
  };
  const rowsOf = ({ body }: Answer): unknown[] | undefined =>
    Array.isArray(body) ? body : Array.isArray(body?.data) ? body.data : undefined;

  function expectHarmless(answer: Answer, what: string) {
    expect(answer.status, `${what}: ${answer.text}`).toBeLessThan(500);
    expect(answer.ms, what).toBeLessThan(sleepMs);
    expect(answer.text, what).not.toMatch(/syntax error|SQLSTATE|pg_catalog|node_modules|\.ts:\d/);
  }

  test('finds nothing by a filter that is no name of anything', async () => {
    let tried = 0;
    for (const route of reads) {
      for (const name of parametersOf(route).filter((one) => !showing.includes(one))) {
        await Promise.all(
          injections.map(async (text) => {
            const answer = await get(`${knownPath(route)}?${name}=${encodeURIComponent(text)}`);
            const what = `${route.path}?${name}=${text.slice(0, 40)}`;
            expectHarmless(answer, what);
            // Whoever searches the audit trail is in it, with the words that they searched for.
            if (route.path === '/api/v1/audit' && name === 'q') return;
            if (answer.status === 200 && rowsOf(answer)) expect(rowsOf(answer), what).toEqual([]);
          }),
        );
        tried++;
      }
    }
    expect(tried).toBeGreaterThan(30);
  });

  test('orders, cuts and picks a list by nothing but what is named for it', async () => {
    const orders = ['name; drop table staff.users', '(select 1)', 'id desc', 'pg_sleep(4)', '__proto__'];
    for (const route of reads) {
      for (const name of parametersOf(route).filter((one) => showing.includes(one))) {
        for (const text of [...orders, ...injections.slice(0, 3)]) {
          const answer = await get(`${knownPath(route)}?${name}=${encodeURIComponent(text)}`);
          const what = `${route.path}?${name}=${text.slice(0, 40)}`;
          expectHarmless(answer, what);
          expect([400, 404], what).toContain(answer.status);
        }
        const twice = await get(`${knownPath(route)}?${name}=1&${name}=2`);
        expect([400, 404], `${route.path}?${name} twice`).toContain(twice.status);
      }
    }
  });

  test('finds nothing by a path that is no name of anything', async () => {
    for (const route of reads.filter(({ path }) => path.includes(':'))) {
      const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name as string);
      for (const text of [...injections.map(encodeURIComponent), '..%2f..%2fetc%2fpasswd']) {
        const params = Object.fromEntries(names.map((name) => [name, text]));
        const answer = await get(pathOf(route, params));
        const what = `${route.path} with ${text.slice(0, 40)}`;
        expectHarmless(answer, what);
        if (answer.status === 200) expect(rowsOf(answer), what).toEqual([]);
      }
    }
  });

  test('is refused what is no text, at either Worker', async () => {
    for (const [worker, routes] of Object.entries(apps)) {
      for (const route of routes.filter(({ method }) => method === 'GET')) {
        for (const text of malformed) {
          const params = Object.fromEntries(
            [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => [name, text]),
          );
          const asked = [
            ...(route.path.includes(':') ? [pathOf(route, params as Record<string, string>)] : []),
            ...parametersOf(route).map((name) => `${knownPath(route)}?${name}=${text}`),
          ];
          await Promise.all(
            asked.map(async (path) => expectHarmless(await get(path, worker as 'api' | 'auth'), path)),
          );
        }
      }
    }
  });

  describe('with places in lists', () => {
    const lists = reads.filter((route) => parametersOf(route).includes('after'));
    const page = (route: Declared, after: string) =>
      get(`${knownPath(route)}?limit=1&after=${encodeURIComponent(after)}`);
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const at = '2026-01-01T00:00:00.000000Z';
    const uuid = '00000000-0000-4000-8000-000000000000';
    const madeUp = [
      ...['', 'x', '%', 'AAAA', '====', "' or true --", 'x'.repeat(5_000)],
      ...[
        [at, uuid],
        [at, '-'.repeat(36)],
        ['infinity', uuid],
        ['9999-99-99T99:99:99.999999Z', uuid],
      ].map((key) => base64(key.join('|'))),
      ...[[at, '1'], [at, '999999999999999999'], [at, '9'.repeat(30)], [at, "1'"], ['a\u0000b']].map((key) =>
        base64(key.join('|')),
      ),
      ...['[]', '{}', '[1,2]', JSON.stringify([at, uuid]), JSON.stringify(['newest', 'x', at, uuid])].map(
        base64,
      ),
    ];
    /** After everything that there could be, in an order that has the newest first or goes by name. */
    const beyond = [
      base64(`0001-01-01T00:00:00.000000Z|1`),
      base64(`0001-01-01T00:00:00.000000Z|${uuid}`),
      base64('zzzzzzzz'),
    ];

    test('is nowhere with one that was made up, edited, or is of another list', async () => {
      const nexts = await Promise.all(
        lists.map(async (route) => (await get(`${knownPath(route)}?limit=1`)).body?.next as unknown),
      );
      const real = nexts.filter((next) => typeof next === 'string');
      expect(real.length).toBeGreaterThan(4);
      const edited = real.slice(0, 3).flatMap((next) => [next.slice(0, -2), `${next}x`, next.toUpperCase()]);
      for (const route of lists) {
        await Promise.all(
          [...madeUp, ...real, ...edited].map(async (after) => {
            const answer = await page(route, after);
            const what = `${route.path}?after=${after.slice(0, 60)}`;
            expectHarmless(answer, what);
            expect([200, 400], what).toContain(answer.status);
          }),
        );
      }
    });

    test('finds nothing beyond the end', async () => {
      let empty = 0;
      for (const route of lists) {
        for (const after of beyond) {
          const answer = await page(route, after);
          expectHarmless(answer, `${route.path}?after=${after}`);
          // Of a page for people there are no rows to look at.
          if (answer.status !== 200 || !answer.headers.get('content-type')?.includes('json')) continue;
          expect(rowsOf(answer), `${route.path}?after=${after}`).toEqual([]);
          if (!Array.isArray(answer.body)) expect(answer.body.next).toBe(null);
          empty++;
        }
      }
      expect(empty).toBeGreaterThan(0);
    });
  });
});
