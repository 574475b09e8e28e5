import { afterEach, expect, test, vi } from 'vitest';
import { beginAt } from './provider.ts';

afterEach(() => vi.unstubAllGlobals());

/** Entra's documents as it answers them, for one tenant and for all. */
function entra(issuer: string) {
  const origin = 'https://login.microsoftonline.com';
  const metadata = {
    issuer,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    jwks_uri: `${origin}/keys`,
  };
  vi.stubGlobal('fetch', async () => Response.json(metadata));
}
const settingsOf = (issuer: string) => ({
  issuer: new URL(issuer),
  clientId: 'recoup',
  clientSecret: 'secret',
  scopes: 'openid',
  groupsClaim: 'groups',
  origins: [new URL(issuer).origin],
});
const redirectUri = 'https://recoup.example/api/v1/auth/oidc/callback';

test('an issuer that stands for the tenants of everybody is not used', async () => {
  entra('https://login.microsoftonline.com/{tenantid}/v2.0');
  const beginning = beginAt(settingsOf('https://login.microsoftonline.com/common/v2.0'), redirectUri);
  await expect(beginning).rejects.toThrow('says that it is');
});

test('one of a tenant is', async () => {
  const issuer = 'https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0';
  entra(issuer);
  const { url } = await beginAt(settingsOf(issuer), redirectUri);
  expect(url.pathname).toBe('/authorize');
});
