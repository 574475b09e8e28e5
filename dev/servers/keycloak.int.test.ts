import * as jose from 'jose';
import * as oidc from 'openid-client';
import { expect, test } from 'vitest';
import { sharedKeycloak } from '../../test/identity-providers.ts';
import { signInAtKeycloak } from './sign-in-at-keycloak.ts';

const keycloak = await sharedKeycloak();
const redirectUri = 'http://127.0.0.1:4711/api/v1/auth/callback';

const person = (username: string) => keycloak!.people.find((one) => one.username === username)!;

/** A client of the shared Keycloak, and where it sends a browser first. */
async function begin(options: { redirect_uri?: string; pkce?: boolean } = {}) {
  const { issuer, clientId, clientSecret } = keycloak!;
  const client = await oidc.discovery(new URL(issuer), clientId, clientSecret, undefined, {
    execute: [oidc.allowInsecureRequests],
  });
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const challenge = await oidc.calculatePKCECodeChallenge(verifier);
  const pkce = { code_challenge: challenge, code_challenge_method: 'S256' };
  const url = oidc.buildAuthorizationUrl(client, {
    redirect_uri: options.redirect_uri ?? redirectUri,
    scope: 'openid profile email',
    state,
    ...(options.pkce === false ? {} : pkce),
  });
  return { client, url, verifier, state };
}

test.skipIf(!keycloak)('a password typed into the form becomes a person with their groups', async () => {
  const { client, url, verifier, state } = await begin();
  const back = await signInAtKeycloak(url, person('zoe'));
  expect(back.href).toMatch(`${redirectUri}?`);
  const checks = { pkceCodeVerifier: verifier, expectedState: state };
  const tokens = await oidc.authorizationCodeGrant(client, back, checks);
  expect(tokens.claims()).toMatchObject({
    iss: keycloak!.issuer,
    aud: keycloak!.clientId,
    preferred_username: 'zoe',
    email: 'zoe@recoup.test',
    name: 'Zoë O"Neill, (Jr.) + Sons*',
  });
  expect((tokens.claims()!.groups as string[]).toSorted()).toEqual(['recoup-agents', 'recoup-supervisors']);
  const keys = jose.createRemoteJWKSet(new URL(client.serverMetadata().jwks_uri!));
  const { protectedHeader } = await jose.jwtVerify(tokens.id_token!, keys, { issuer: keycloak!.issuer });
  expect(protectedHeader.alg).toBe('RS256');
  const stolen = oidc.authorizationCodeGrant(client, back, checks);
  await expect(stolen, 'a code is good for once').rejects.toThrow();
});

test.skipIf(!keycloak)('a wrong password is refused, and so is one who has left', async () => {
  const wrong = signInAtKeycloak((await begin()).url, { ...person('asha'), password: 'guessed' });
  await expect(wrong).rejects.toThrow('Keycloak does not let them in: Invalid username or password.');
  const left = signInAtKeycloak((await begin()).url, person('hari'));
  await expect(left).rejects.toThrow(/Keycloak does not let them in: .*disabled/);
});

test.skipIf(!keycloak)('no code leaves without PKCE, nor to an address it does not know', async () => {
  const { url } = await begin({ pkce: false });
  const { searchParams } = await signInAtKeycloak(url, person('asha'));
  expect(searchParams.get('error')).toBe('invalid_request');
  expect(searchParams.get('code')).toBeNull();
  const stranger = await begin({ redirect_uri: 'https://attacker.test/callback' });
  await expect(signInAtKeycloak(stranger.url, person('asha'))).rejects.toThrow(/redirect_uri/);
});

test.skipIf(!keycloak)('the code is of no use without the verifier, nor without the secret', async () => {
  const { client, url, state } = await begin();
  const back = await signInAtKeycloak(url, person('bela'));
  const other = { pkceCodeVerifier: oidc.randomPKCECodeVerifier(), expectedState: state };
  await expect(oidc.authorizationCodeGrant(client, back, other)).rejects.toMatchObject({
    error: 'invalid_grant',
  });
  const again = await begin();
  const { token_endpoint: tokenEndpoint } = client.serverMetadata();
  const code = (await signInAtKeycloak(again.url, person('bela'))).searchParams.get('code')!;
  const answer = await fetch(tokenEndpoint!, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      client_id: keycloak!.clientId,
      code_verifier: again.verifier,
    }),
  });
  expect(await answer.json()).toMatchObject({ error: 'unauthorized_client' });
});

test.skipIf(!keycloak)('its administrator may change people while it runs', async () => {
  const { issuer, admin } = keycloak!;
  const { origin } = new URL(issuer);
  const granted = await fetch(`${origin}/realms/master/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'password', client_id: 'admin-cli', ...admin }),
  });
  const { access_token: token } = (await granted.json()) as { access_token: string };
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const users = `${origin}/admin/realms/recoup/users`;
  const listed = await fetch(users, { headers });
  expect(listed.status).toBe(200);
  const found = (await listed.json()) as { id: string; username: string }[];
  const names = keycloak!.people.map(({ username }) => username);
  expect(found.map(({ username }) => username).toSorted()).toEqual(names.toSorted());

  const { id } = found.find(({ username }) => username === 'gita')!;
  const enable = (enabled: boolean) =>
    fetch(`${users}/${id}`, { method: 'PUT', headers, body: JSON.stringify({ enabled }) });
  expect((await enable(false)).status).toBe(204);
  await expect(signInAtKeycloak((await begin()).url, person('gita'))).rejects.toThrow(/disabled/);
  expect((await enable(true)).status).toBe(204);
  const back = await signInAtKeycloak((await begin()).url, person('gita'));
  expect(back.searchParams.has('code')).toBe(true);
});
