// Attacks with a session or key that somebody holds, or has stolen: another page rides on it, it goes on after its end,
// it makes more of itself. Signing in itself is attacked in sign-in.int.test.ts.

import { Secret, TOTP } from 'otpauth';
import { describe, expect, test } from 'vitest';
import { createApi } from '../../workers/api/main.ts';
import { createAuth } from '../../workers/auth/main.ts';
import { declaredIn } from '../../workers/route.ts';
import { ask, eventually, expectProblem, tally } from './asking.ts';
import type { Edge } from './runtimes.ts';
import { fromPage, newPersonWithPassword, password, token } from './signing-in.ts';
import { type TestPerson, unlimited, useWorld } from './world.ts';

const routes = [...declaredIn(createApi()), ...declaredIn(createAuth())];
const changing = routes.filter(({ method, spec }) => method !== 'GET' && spec.permission !== 'open');
const takingBodies = changing.filter(({ spec }) => spec.body ?? spec.bodyShape);
const forms = ['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/plain', ''];
const nowhere = '00000000-0000-4000-8000-000000000000';
const pathOf = ({ path }: { path: string }) => path.replace(/:\w+/g, nowhere);
const bearer = (credential: string) => ({ authorization: `Bearer ${credential}` });

describe('an attacker', { timeout: 60_000 }, () => {
  const world = useWorld('workerd', { api: unlimited, auth: unlimited });
  const at = (path: string, init: RequestInit = {}, edge: Edge = world.edge) =>
    ask(`${edge.urls.api}${path}`, init);

  describe('another page', () => {
    test('rides on nobody’s cookie, on whatever changes something', async () => {
      const { cookie } = await world.newPerson(['admin']);
      expect(changing.length).toBeGreaterThan(30);
      for (const route of changing) {
        for (const headers of [{}, { origin: 'https://evil.example' }, { 'sec-fetch-site': 'same-site' }]) {
          const { method } = route;
          const answer = await at(pathOf(route), { method, headers: { cookie, ...(headers as object) } });
          expectProblem(answer, 403, 'cross_site');
        }
      }
      expect((await at('/api/v1/auth/me', { headers: { cookie } })).status).toBe(200);
    });

    test('sends no form that is read, even as a page of ours', async () => {
      const { cookie } = await world.newPerson(['admin']);
      const { origin } = new URL(world.edge.urls.api);
      for (const route of takingBodies) {
        for (const type of forms) {
          const answer = await at(pathOf(route), {
            method: route.method,
            body: new TextEncoder().encode('{}'),
            headers: { cookie, origin, 'if-match': '"1"', ...(type ? { 'content-type': type } : {}) },
          });
          expect([415, 404], `${route.method} ${route.path} as ${type}`).toContain(answer.status);
          if (!route.path.includes(':')) expectProblem(answer, 415, 'unsupported_media_type');
        }
      }
    });

    test('changes nothing by a request that is said to be another', async () => {
      const { cookie, sessionId } = await world.newPerson(['admin']);
      for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
        const own = `/api/v1/auth/sessions?_method=DELETE&limit=1`;
        for (const path of [own, `/api/v1/auth/me?_method=DELETE`]) {
          await at(path, { headers: { cookie, [name]: 'DELETE' } });
        }
      }
      const live = await world.db.query('select from staff.sessions where id = $1 and ended_at is null', [
        sessionId,
      ]);
      expect(live).toHaveLength(1);
    });
  });

  test('goes on with nothing that was taken away, after five seconds, wherever it was known', async () => {
    const other = await world.anotherEdge({ api: unlimited, auth: unlimited });
    const admin = await world.newPerson(['admin']);
    const by = { headers: bearer(admin.accessToken) };
    const [ended, demoted, left] = [
      await world.newPerson(['operations']),
      await world.newPerson(['operations']),
      await world.newPerson(['operations']),
    ];
    const key = await world.newKey(['jobs:read']);
    const prefix = key.split('_')[1] as string;
    const grant = { grant_type: 'client_credentials', client_id: prefix, client_secret: key };
    const made = (await token(world.edge, grant)).body.access_token;
    const held: Array<[credential: string, status: number]> = [
      [ended.accessToken, 401],
      [demoted.accessToken, 404],
      [left.accessToken, 401],
      [key, 401],
      [made, 401],
    ];
    const jobs = (credential: string, edge: Edge) =>
      at('/api/v1/jobs', { headers: bearer(credential) }, edge);
    for (const edge of [world.edge, other]) {
      for (const [credential] of held) expect((await jobs(credential, edge)).status).toBe(200);
    }
    const taken = await Promise.all([
      at(`/api/v1/auth/sessions?user=${ended.username}`, { ...by, method: 'DELETE' }),
      at(`/api/v1/users/${demoted.id}/roles/operations`, { ...by, method: 'DELETE' }),
      at(`/api/v1/users/${left.id}/deactivate`, { ...by, method: 'POST' }),
      at(`/api/v1/api-keys/${prefix}/revoke`, { ...by, method: 'POST' }),
    ]);
    expect(tally(taken)).toEqual({ 200: 4 });
    const since = performance.now();
    for (const edge of [world.edge, other]) {
      for (const [credential, status] of held) {
        const answer = await eventually(
          () => jobs(credential, edge),
          (asked) => asked.status === status,
          5_500 - (performance.now() - since),
        );
        expect(answer.status).toBe(status);
      }
    }
  });

  describe('a stolen session', () => {
    /** With a second factor. */
    async function newPersonWithCode(roles: readonly string[] = ['admin']) {
      const person = await newPersonWithPassword(world, roles);
      const post = (path: string, body: unknown) =>
        fromPage(world.edge, `/api/v1/auth/${path}`, body, [person.cookie]);
      const { body } = await post('totp', { password });
      const code = new TOTP({ secret: Secret.fromBase32(body.secret) }).generate();
      expect((await post('totp/confirm', { code })).status).toBe(204);
      return { ...person, post };
    }
    const hasCode = async ({ id }: { id: string }) =>
      (await world.db.query('select from staff.totp where user_id = $1 and confirmed_at is not null', [id]))
        .length === 1;
    const removeOf = (username: string, by: TestPerson) =>
      at(`/api/v1/auth/totp?user=${username}`, { method: 'DELETE', headers: bearer(by.accessToken) });

    test('takes nobody’s own second factor away, whatever they may do to others', async () => {
      const admin = await newPersonWithCode();
      expectProblem(await removeOf(admin.username, admin), 403, 'own_rights');
      expect(await hasCode(admin)).toBe(true);
    });

    test('takes no second factor of somebody who may do more', async () => {
      await world.db.query(`insert into staff.roles (name, description) values ('desk', 'Desk')`);
      await world.db.query(`insert into staff.role_permissions values ('desk', 'users:manage', 'all')`);
      const desk = await world.newPerson(['desk']);
      const admin = await newPersonWithCode();
      const problem = expectProblem(await removeOf(admin.username, desk), 403, 'beyond_own_rights');
      expect(problem.permissions).toContain('roles:manage');
      expect(await hasCode(admin)).toBe(true);
      const equal = await newPersonWithCode(['desk']);
      expect((await removeOf(equal.username, desk)).status).toBe(204);
    });

    test('guesses no more codes than anybody, also when it knows the password', async () => {
      const { post } = await newPersonWithCode();
      await world.db.query('truncate staff.sign_in_attempts');
      const guess = await post('totp/remove', { password, code: '000000' });
      expectProblem(guess, 403, 'credential_refused');
      // Showing the password alone forgets no guess.
      expectProblem(await post('totp', { password }), 409, 'totp_enrolled');
      const change = { currentPassword: password, newPassword: 'short' };
      expectProblem(await post('password', change), 422, 'invalid_request');
      const counted = await world.db.query<{ failures: number }>(
        'select distinct failures from staff.sign_in_attempts where last_at > now() - interval $$1 minute$$',
      );
      expect(counted).toEqual([{ failures: 1 }]);
    });

    test('sets no password and no second factor without the password', async () => {
      const { cookie, username } = await newPersonWithPassword(world);
      const wrong = 'not the password';
      for (const [path, body] of [
        ['password', { currentPassword: wrong, newPassword: 'quiet-harbour-lantern' }],
        ['totp', { password: wrong }],
      ] as const) {
        expectProblem(
          await fromPage(world.edge, `/api/v1/auth/${path}`, body, [cookie]),
          403,
          'credential_refused',
        );
      }
      expect((await fromPage(world.edge, '/api/v1/auth/login', { username, password })).status).toBe(200);
    });
  });
});
