// Signing in at a provider, against those who forge what it says, lead elsewhere or break it.

import { generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readAuthSettings } from '../../workers/auth/env.ts';
import { type Forge, type OidcProvider, startOidcProvider } from '../providers/oidc.ts';
import { type ProviderServer, startProvider } from '../providers/server.ts';
import { expectProblem, read } from './asking.ts';
import { comeBack, setOut } from './at-provider.ts';
import type { Edge } from './runtimes.ts';
import { cookiesOf, fromPage } from './signing-in.ts';
import { unlimited, useWorld } from './world.ts';

const GROUP_ROLES = JSON.stringify({ staff: 'agent', chiefs: 'admin' });
const provider: OidcProvider = await startOidcProvider();
afterAll(() => provider.close());

let people = 0;
const somebody = (): JWTPayload & { sub: string } => {
  const name = `of-provider-${++people}`;
  return { sub: `sub-${people}`, preferred_username: name, name, groups: ['staff'] };
};

describe.each(['workerd', 'node'] as const)('on %s', { timeout: 60_000 }, (runtime) => {
  const world = useWorld(runtime, { auth: { ...unlimited, ...provider.settings, GROUP_ROLES } });
  beforeEach(() => {
    provider.userinfo = {};
  });

  async function signIn(claims: JWTPayload, forge?: Forge, returnTo?: string) {
    const { url, journey } = await setOut(world.edge, returnTo);
    return comeBack(world.edge, provider.vouch(url, claims, forge), [journey]);
  }
  const reasons = async () =>
    (
      await world.db.query<{ because: string }>(
        `select details ->> 'because' as because from audit.entries where action = 'sign_in.failed' order by id`,
      )
    ).map(({ because }) => because);
  const sessions = async () =>
    (await world.db.query<{ count: number }>('select count(*)::int as count from staff.sessions'))[0]?.count;

  test('it is asked with state, nonce and PKCE, by a redirect that nothing keeps', async () => {
    const [one, two] = [await setOut(world.edge), await setOut(world.edge)];
    expect(one.answer.status).toBe(302);
    expect(one.answer.headers.get('cache-control')).toBe('no-store');
    const { origin, pathname, searchParams } = new URL(one.url);
    expect(origin + pathname).toBe(`${provider.url}/authorize`);
    expect(Object.fromEntries(searchParams)).toEqual({
      client_id: provider.settings.OIDC_CLIENT_ID,
      response_type: 'code',
      scope: 'openid profile email',
      redirect_uri: `${world.edge.urls.api}/api/v1/auth/oidc/callback`,
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
    });
    for (const name of ['state', 'nonce', 'code_challenge']) {
      expect(new URL(two.url).searchParams.get(name)).not.toBe(searchParams.get(name));
    }
    const [cookie] = one.answer.headers.getSetCookie();
    expect(cookie).toMatch(/^__Host-recoup_oidc=/);
    for (const part of ['HttpOnly', 'Secure', 'SameSite=Lax', 'Path=/', 'Max-Age=600']) {
      expect(cookie).toContain(part);
    }
  });

  test('an honest token lets in; what it lacks is asked for', async () => {
    expect((await signIn(somebody())).headers.get('location')).toBe(`${world.edge.urls.api}/`);
    const { groups: _, preferred_username: __, ...small } = somebody();
    provider.userinfo = { sub: small.sub, preferred_username: `asked-${runtime}`, groups: ['staff'] };
    expect((await signIn(small)).status).toBe(302);
    const known = await world.db.query(`select from staff.users where username = 'asked-${runtime}'`);
    expect(known).toHaveLength(1);
    // What is told of somebody else is not theirs.
    provider.userinfo = { sub: 'somebody-else', groups: ['chiefs'] };
    expectProblem(await signIn({ ...small, sub: `sub-${++people}` }), 401, 'provider_refused');
  });

  const foreignKey = generateKeyPair('ES256');
  const forgeries: Array<[string, Forge]> = [
    ['another nonce', (claims) => provider.sign({ ...claims, nonce: 'another' })],
    ['no nonce', ({ nonce: _, ...claims }) => provider.sign(claims)],
    ['another audience', (claims) => provider.sign({ ...claims, aud: 'another-client' })],
    ['another issuer', (claims) => provider.sign({ ...claims, iss: 'https://id.evil.example' })],
    ['an end that has passed', (claims) => provider.sign({ ...claims, exp: Number(claims.iat) - 60 })],
    ['no subject', ({ sub: _, ...claims }) => provider.sign(claims)],
    [
      'the signature of another key of the same name',
      async (claims) =>
        new SignJWT(claims)
          .setProtectedHeader({ alg: 'ES256', kid: 'key-1' })
          .sign((await foreignKey).privateKey),
    ],
    [
      'a key of its own in its header',
      async (claims) =>
        new SignJWT(claims)
          .setProtectedHeader({ alg: 'ES256', kid: 'mine', jku: 'https://evil.example/jwks' })
          .sign((await foreignKey).privateKey),
    ],
    ['no signature', async (claims) => new UnsecuredJWT(claims).encode()],
    [
      'the public key as a secret',
      (claims) =>
        new SignJWT(claims)
          .setProtectedHeader({ alg: 'HS256', kid: 'key-1' })
          .sign(new TextEncoder().encode(JSON.stringify(provider.publicKey))),
    ],
    [
      'the client’s secret as a secret',
      (claims) =>
        new SignJWT(claims)
          .setProtectedHeader({ alg: 'HS256' })
          .sign(new TextEncoder().encode(provider.settings.OIDC_CLIENT_SECRET)),
    ],
    [
      'another subject than was signed',
      async (claims) => {
        const [head, , signature] = (await provider.sign(claims)).split('.');
        const changed = Buffer.from(JSON.stringify({ ...claims, sub: 'another' })).toString('base64url');
        return `${head}.${changed}.${signature}`;
      },
    ],
    ['no ID token', () => undefined],
  ];

  test.each(forgeries)('a token with %s lets nobody in, and it is written down', async (_, forge) => {
    const [before, live] = [await reasons(), await sessions()];
    const answer = await signIn({ ...somebody(), groups: ['chiefs'] }, forge);
    expectProblem(answer, 401, 'provider_refused');
    expect(cookiesOf(answer).session).toBe('');
    expect(await reasons()).toEqual([...before, 'id_token']);
    expect(await sessions()).toBe(live);
  });

  test('what the provider did not say to this browser is not listened to', async () => {
    const { url, journey } = await setOut(world.edge);
    const back = () => provider.vouch(url, somebody());
    const changed = (changes: Record<string, string>) =>
      new URLSearchParams({ ...Object.fromEntries(back()), ...changes });
    const lost = [
      await comeBack(world.edge, changed({ state: 'guessed' }), [journey]),
      await comeBack(world.edge, new URLSearchParams({ code: 'x' }), [journey]),
      await comeBack(world.edge, back(), []),
      await comeBack(world.edge, back(), [`${journey.slice(0, -6)}AAAA%3D`]),
      await comeBack(world.edge, back(), ['__Host-recoup_oidc=%7B%7D']),
    ];
    for (const answer of lost) {
      expectProblem(answer, 401, 'sign_in_lost');
      expect(answer.headers.getSetCookie().join()).toMatch(/^__Host-recoup_oidc=; Max-Age=0;/);
    }
    const other = changed({ iss: 'https://id.evil.example' });
    expectProblem(await comeBack(world.edge, other, [journey]), 401, 'provider_refused');
    const none = back();
    none.delete('iss');
    expectProblem(await comeBack(world.edge, none, [journey]), 401, 'provider_refused');
    expect((await comeBack(world.edge, back(), [journey])).status).toBe(302);
  });

  test('a journey that takes too long is none, nor is one from another provider', async () => {
    const { url } = await setOut(world.edge);
    const { journeys } = readAuthSettings(world.edgeOptions().settings.auth).signInKeys;
    const state = new URL(url).searchParams.get('state') ?? '';
    const kept = { state, nonce: 'n', verifier: 'v', returnTo: '/' };
    const cookieOf = async (until: number, issuer: string) =>
      `__Host-recoup_oidc=${encodeURIComponent(await journeys.encrypt(JSON.stringify({ ...kept, until }), issuer))}`;
    const soon = Date.now() + 60_000;
    const here = new URL(provider.url).href;
    for (const [until, issuer, code] of [
      [Date.now() - 1, here, 'sign_in_lost'],
      [soon, 'https://id.other.example/', 'sign_in_lost'],
      // Good, but for the verifier.
      [soon, here, 'provider_refused'],
    ] as const) {
      const answer = await comeBack(world.edge, provider.vouch(url, somebody()), [
        await cookieOf(until, issuer),
      ]);
      expectProblem(answer, 401, code);
    }
  });

  test('it leads back to this site and nowhere else', async () => {
    const elsewhere = [
      'https://evil.example/',
      '//evil.example/',
      '/\\evil.example/',
      '\\\\evil.example/',
      '/\t/evil.example/',
      '/\n//evil.example',
      'javascript:alert(1)',
      'evil.example',
      '',
      ' //evil.example',
      '/a\\b',
      '/a b',
      '/\u0001/evil.example',
      `/${'x'.repeat(1_000)}`,
    ];
    for (const returnTo of elsewhere) {
      const { answer } = await setOut(world.edge, returnTo);
      expectProblem(answer, 400, 'invalid_query');
      expect(answer.headers.getSetCookie()).toEqual([]);
    }
    for (const returnTo of [
      '/.//evil.example/',
      '/a/..//evil.example',
      '/%2F/evil.example',
      '/@evil.example',
    ]) {
      const location = (await signIn(somebody(), undefined, returnTo)).headers.get('location') ?? '';
      expect(location).toMatch(`${world.edge.urls.api}/`);
      expect(new URL(location).origin).toBe(new URL(world.edge.urls.api).origin);
    }
  });

  test('what the provider refuses is written down, and told to a person on a page', async () => {
    const { url, journey } = await setOut(world.edge);
    const state = new URL(url).searchParams.get('state') as string;
    const query = new URLSearchParams({
      ...{ error: 'access_denied', error_description: '<script>alert(1)</script>', state },
      iss: provider.url,
    });
    const answer = await comeBack(world.edge, query, [journey], { accept: 'text/html,*/*' });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([401, 'text/html; charset=UTF-8']);
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(answer.text).toContain('does not vouch for this person');
    expect(answer.text).not.toContain('alert');
    expect((await reasons()).at(-1)).toBe('provider_access_denied');
  });

  test('a name that somebody here has is no way to become them', async () => {
    const { username, id } = await world.newPerson(['admin']);
    const impostor = { ...somebody(), preferred_username: username, email: `${username}@bank.example` };
    const refused = expectProblem(await signIn(impostor), 403, 'not_admitted');
    expect(refused.reason).toBe('name_taken');
    const linked = await world.db.query('select from staff.identities where user_id = $1', [id]);
    expect(linked).toEqual([]);
  });

  test('while it is away the answer comes soon, and is written down', async () => {
    const began = await setOut(world.edge);
    const trade = () => comeBack(world.edge, provider.vouch(began.url, somebody()), [began.journey]);
    for (const reply of [
      'hang' as const,
      { status: 500, body: {} },
      { status: 200, body: 'nonsense' },
      { status: 200, body: `"${'x'.repeat(300_000)}"` },
      { status: 302, body: {}, headers: { location: `${provider.url}/jwks` } },
    ]) {
      provider.next(reply);
      const answer = await trade();
      expectProblem(answer, 503, 'unavailable');
      expect(answer.ms).toBeLessThan(8_000);
      expect((await reasons()).at(-1)).toBe('provider_away');
    }
    expect((await trade()).status).toBe(302);
  });
});

describe('what the settings allow', { timeout: 60_000 }, () => {
  const world = useWorld('node', { auth: { ...unlimited, ...provider.settings, GROUP_ROLES } });
  let inside: ProviderServer;
  beforeAll(async () => {
    inside = await startProvider(() => ({ status: 200, body: { keys: [] } }));
  });
  afterAll(() => inside.close());

  /** With an issuer of its own, so that nothing is remembered of it. */
  async function useProvider(
    work: (own: OidcProvider, edgeWith: (more?: Record<string, string>) => Promise<Edge>) => Promise<void>,
  ) {
    const own = await startOidcProvider();
    try {
      await work(own, (more) => world.anotherEdge({ auth: { ...own.settings, ...more } }));
    } finally {
      await own.close();
    }
  }

  test.each(['authorization_endpoint', 'token_endpoint', 'jwks_uri'])(
    'an issuer that names a %s elsewhere is not used, and nothing there is asked',
    async (endpoint) => {
      await useProvider(async (own, edgeWith) => {
        own.metadata = { [endpoint]: `${inside.url}/secret` };
        expectProblem((await setOut(await edgeWith())).answer, 503, 'unavailable');
        expect(inside.asked).toEqual([]);
        const allowed = await setOut(await edgeWith({ OIDC_ORIGINS: inside.url }));
        expect(allowed.answer.status).toBe(302);
      });
    },
  );

  test('claims are not asked for elsewhere, nor does a browser sign out there', async () => {
    await useProvider(async (own, edgeWith) => {
      own.metadata = { userinfo_endpoint: `${inside.url}/me`, end_session_endpoint: `${inside.url}/out` };
      const edge = await edgeWith();
      const { url, journey } = await setOut(edge);
      const { preferred_username: _, ...small } = somebody();
      const { session } = cookiesOf(await comeBack(edge, own.vouch(url, small), [journey]));
      expect(inside.asked).toEqual([]);
      expect((await fromPage(edge, '/api/v1/auth/logout', {}, [session])).status).toBe(204);
    });
  });

  test.each<[string, (own: OidcProvider) => void]>([
    [
      'leads elsewhere',
      (own) => own.next({ status: 302, body: {}, headers: { location: `${inside.url}/metadata` } }),
    ],
    [
      'says that it is another',
      (own) => {
        own.metadata = { issuer: 'https://id.other.example' };
      },
    ],
    [
      'answers without end',
      (own) => own.next({ status: 200, body: { ...own.metadata, padding: 'x'.repeat(300_000) } }),
    ],
    ['does not answer', (own) => own.next('hang')],
  ])('an issuer that %s is not used', async (_, spoil) => {
    await useProvider(async (own, edgeWith) => {
      spoil(own);
      const { answer } = await setOut(await edgeWith());
      expectProblem(answer, 503, 'unavailable');
      expect(answer.ms).toBeLessThan(6_000);
      expect(answer.headers.getSetCookie()).toEqual([]);
      expect(inside.asked).toEqual([]);
    });
  });

  test('an issuer that comes back is used again, and asked once for a while', async () => {
    await useProvider(async (own, edgeWith) => {
      const edge = await edgeWith();
      own.next({ status: 503, body: {} });
      expectProblem((await setOut(edge)).answer, 503, 'unavailable');
      for (const _ of [1, 2, 3]) expect((await setOut(edge)).answer.status).toBe(302);
      expect(own.asked).toEqual(Array(2).fill('GET /.well-known/openid-configuration'));
    });
  });

  test('without a provider there is no such way', async () => {
    const edge = await world.anotherEdge({
      auth: { OIDC_ISSUER: '', OIDC_CLIENT_ID: '', OIDC_CLIENT_SECRET: '' },
    });
    expectProblem((await setOut(edge)).answer, 404, 'not_found');
    expectProblem(await comeBack(edge, new URLSearchParams({ code: 'x', state: 'x' }), []), 404, 'not_found');
    expect((await read(edge, '/api/v1/auth/ways')).body).toEqual({ ways: [{ way: 'password' }] });
  });
});
