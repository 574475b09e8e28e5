// Signing in at a real Keycloak: what it gives, and who is kept out.

import { beforeAll, describe, expect, test } from 'vitest';
import { signInAtKeycloak } from '../../dev/servers/sign-in-at-keycloak.ts';
import { sharedKeycloak } from '../identity-providers.ts';
import { ask, expectProblem, read } from './asking.ts';
import { comeBack, setOut } from './at-provider.ts';
import { cookiesOf, fromPage } from './signing-in.ts';
import { useWorld } from './world.ts';

const keycloak = await sharedKeycloak();
const groupRoles = {
  'recoup-agents': 'agent',
  'recoup-supervisors': 'supervisor',
  'recoup-auditors': 'auditor',
};

describe.skipIf(!keycloak)('at Keycloak', { timeout: 120_000 }, () => {
  const oidc = {
    OIDC_ISSUER: keycloak?.issuer ?? '',
    OIDC_CLIENT_ID: keycloak?.clientId ?? '',
    OIDC_CLIENT_SECRET: keycloak?.clientSecret ?? '',
    GROUP_ROLES: JSON.stringify(groupRoles),
  };
  const world = useWorld('workerd', { auth: oidc });
  const person = (username: string) => keycloak?.people.find((one) => one.username === username) as never;
  const me = (cookie: string) => ask(`${world.edge.urls.api}/api/v1/auth/me`, { headers: { cookie } });

  /** All the way; answers with which cookies and with which query the browser came back. */
  async function signIn(username: string, returnTo?: string, cookies: string[] = []) {
    const { url, journey } = await setOut(world.edge, returnTo);
    const { searchParams } = await signInAtKeycloak(url, person(username));
    return { journey, searchParams, answer: await comeBack(world.edge, searchParams, [journey, ...cookies]) };
  }

  test('a person gets a session with the roles of their groups, and goes on where they wanted', async () => {
    const { answer, journey, searchParams } = await signIn('zoe', '/customers?q=ana#notes');
    expect(answer.status).toBe(302);
    expect(answer.headers.get('location')).toBe(`${world.edge.urls.api}/customers?q=ana#notes`);
    for (const cookie of answer.headers.getSetCookie()) {
      for (const attribute of ['HttpOnly', 'Secure', 'SameSite=Lax', 'Path=/'])
        expect(cookie).toContain(attribute);
    }
    expect(journey).not.toContain(searchParams.get('state'));
    const { session } = cookiesOf(answer);
    const { body } = await me(session);
    expect(body).toMatchObject({
      username: 'zoe',
      name: 'Zoë O"Neill, (Jr.) + Sons*',
      email: 'zoe@recoup.test',
      roles: ['agent', 'supervisor'],
      mustChangePassword: false,
    });
    const { body: sessions } = await ask(`${world.edge.urls.api}/api/v1/auth/sessions`, {
      headers: { cookie: session },
    });
    expect(sessions.data).toMatchObject([{ method: 'oidc', present: true, kind: 'browser' }]);
    const [event] = await world.db.query<{ payload: string }>(
      `select payload from outbox.messages where topic = 'auth.events' order by position desc limit 1`,
    );
    expect(JSON.parse(event?.payload ?? '')).toMatchObject({ type: 'LOGIN_SUCCESS', userId: body.id });
    expect(world.edge.log()).not.toMatch(/zoe|O"Neill|code=/);
  });

  test('the session is a new one, and the one before ends', async () => {
    const first = cookiesOf((await signIn('zoe')).answer).session;
    const planted = `__Host-recoup_session=${'A'.repeat(43)}`;
    for (const cookie of [first, planted]) {
      const { session } = cookiesOf((await signIn('zoe', '/', [cookie])).answer);
      expect(session).not.toBe(cookie);
      expect((await me(cookie)).status).toBe(401);
      expect((await me(session)).status).toBe(200);
    }
  });

  test('a code is good once, and in the browser that began', async () => {
    const { searchParams, journey, answer } = await signIn('chitra');
    expect(answer.status).toBe(302);
    const again = await comeBack(world.edge, searchParams, [journey]);
    expectProblem(again, 401, 'provider_refused');
    expectProblem(await comeBack(world.edge, searchParams, []), 401, 'sign_in_lost');

    // Another's code, put to somebody who is just signing in too.
    const mine = await setOut(world.edge);
    const theirs = await setOut(world.edge);
    const back = (await signInAtKeycloak(theirs.url, person('chitra'))).searchParams;
    expectProblem(await comeBack(world.edge, back, [mine.journey]), 401, 'sign_in_lost');
    const state = new URL(mine.url).searchParams.get('state') as string;
    const forged = new URLSearchParams({ ...Object.fromEntries(back), state });
    const answered = await comeBack(world.edge, forged, [mine.journey]);
    expectProblem(answered, 401, 'provider_refused');
    expect(answered.headers.getSetCookie().join()).not.toContain('recoup_session');
  });

  test('without a group that is worth a role nobody gets in, nor becomes known', async () => {
    const { answer } = await signIn('gita');
    expect(expectProblem(answer, 403, 'not_admitted')).toMatchObject({ reason: 'no_role' });
    expect(cookiesOf(answer).session).toBe('');
    expect(await world.db.query(`select from staff.users where username = 'gita'`)).toEqual([]);
    // Of an administrator's group, which the setting does not name.
    expectProblem((await signIn('asha')).answer, 403, 'not_admitted');
  });

  test('who was deactivated here is refused, though the provider lets them in', async () => {
    const { session } = cookiesOf((await signIn('esha')).answer);
    const { body } = await me(session);
    const admin = await world.newPerson(['admin']);
    const deactivated = await ask(`${world.edge.urls.api}/api/v1/users/${body.id}/deactivate`, {
      method: 'POST',
      headers: { authorization: `Bearer ${admin.accessToken}` },
    });
    expect(deactivated.status).toBe(200);
    const { answer } = await signIn('esha');
    expect(expectProblem(answer, 403, 'not_admitted')).toMatchObject({ reason: 'deactivated' });
    const entries = await world.db.query<{ details: object }>(
      `select details from audit.entries where action = 'sign_in.failed' and subject_id = 'esha'`,
    );
    expect(entries).toMatchObject([{ details: { because: 'deactivated', issuer: keycloak?.issuer } }]);
  });

  test('who signs out here is told where to sign out there', async () => {
    const { session } = cookiesOf((await signIn('bela')).answer);
    const out = await fromPage(world.edge, '/api/v1/auth/logout', {}, [session]);
    expect(out.status).toBe(200);
    const url = new URL(out.body.endSessionUrl);
    expect(url.href).toMatch(`${keycloak?.issuer}/`);
    expect(url.searchParams.get('post_logout_redirect_uri')).toBe(`${world.edge.urls.api}/`);
    const there = await fetch(url, { redirect: 'manual' });
    expect(there.headers.get('location')).toBe(`${world.edge.urls.api}/`);
    expect((await me(session)).status).toBe(401);
  });

  test('the page of sign-in knows the way', async () => {
    const { body } = await read(world.edge, '/api/v1/auth/ways');
    const provider = new URL(keycloak?.issuer ?? '').host;
    expect(body.ways).toEqual([
      { way: 'password' },
      { way: 'oidc', startAt: '/api/v1/auth/oidc/login', provider },
    ]);
  });

  describe('with another secret than the provider has', () => {
    let edge: typeof world.edge;
    beforeAll(async () => {
      edge = await world.anotherEdge({ auth: { OIDC_CLIENT_SECRET: 'not this one' } });
    });

    test('nobody gets in, and the log says why', async () => {
      const { url, journey } = await setOut(edge);
      const { searchParams } = await signInAtKeycloak(url, person('chitra'));
      expectProblem(await comeBack(edge, searchParams, [journey]), 503, 'unavailable');
      expect(edge.log()).toMatch(/"provider_away".*server responded with an error/);
      expect(edge.log()).not.toContain('not this one');
    });
  });
});
