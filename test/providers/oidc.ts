// An OpenID Connect provider that vouches for whomever a test wants, with whatever token a test forges.

import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { type Asked, type ProviderServer, type Reply, startProvider } from './server.ts';

const clientId = 'recoup-test';
const clientSecret = 'secret-of-the-tests';
const keyId = 'key-1';

/** The ID token for a code, out of the claims that an honest one has. */
export type Forge = (claims: JWTPayload) => string | undefined | Promise<string | undefined>;

export interface OidcProvider extends ProviderServer {
  settings: Record<string, string>;
  /** Vouches for somebody at an authorisation URL; answers what the browser comes back with. */
  vouch(authorizationUrl: string, claims: JWTPayload, forge?: Forge): URLSearchParams;
  sign(claims: JWTPayload): Promise<string>;
  publicKey: object;
  /** On top of what its metadata say. */
  metadata: Record<string, unknown>;
  userinfo: Record<string, unknown>;
}

interface Vouched {
  challenge: string;
  token: () => string | undefined | Promise<string | undefined>;
}

export async function startOidcProvider(): Promise<OidcProvider> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: keyId, use: 'sig', alg: 'ES256' };
  const codes = new Map<string, Vouched>();
  const sign = (claims: JWTPayload) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: keyId }).sign(privateKey);
  const server: ProviderServer = await startProvider(async (asked) => {
    if (asked.path === '/.well-known/openid-configuration') {
      return { status: 200, body: { ...metadataOf(server.url), ...provider.metadata } };
    }
    if (asked.path === '/jwks') return { status: 200, body: { keys: [jwk] } };
    if (asked.path === '/userinfo') return { status: 200, body: provider.userinfo };
    return asked.path === '/token' ? trade(codes, asked) : { status: 404, body: {} };
  });
  const provider: OidcProvider = Object.assign(server, {
    metadata: {},
    userinfo: {},
    publicKey: jwk,
    sign,
    settings: {
      OIDC_ISSUER: server.url,
      OIDC_CLIENT_ID: clientId,
      OIDC_CLIENT_SECRET: clientSecret,
    },
    vouch(authorizationUrl: string, claims: JWTPayload, forge: Forge = sign) {
      const asked = new URL(authorizationUrl).searchParams;
      const code = crypto.randomUUID();
      const now = Math.floor(Date.now() / 1_000);
      const honest = {
        ...{ iss: server.url, aud: clientId, iat: now, exp: now + 60, nonce: asked.get('nonce') },
        ...claims,
      } as JWTPayload;
      codes.set(code, { challenge: asked.get('code_challenge') ?? '', token: () => forge(honest) });
      return new URLSearchParams({ code, state: asked.get('state') ?? '', iss: server.url });
    },
  });
  return provider;
}

const metadataOf = (url: string) => ({
  issuer: url,
  authorization_endpoint: `${url}/authorize`,
  token_endpoint: `${url}/token`,
  jwks_uri: `${url}/jwks`,
  userinfo_endpoint: `${url}/userinfo`,
  authorization_response_iss_parameter_supported: true,
  id_token_signing_alg_values_supported: ['ES256'],
});

/** As RFC 6749 and RFC 7636 have it: once, to the client, and with the verifier. */
async function trade(codes: Map<string, Vouched>, { body, headers }: Asked): Promise<Reply> {
  const form = new URLSearchParams(body);
  const [id, secret] = atob(headers.authorization?.replace('Basic ', '') ?? '')
    .split(':')
    .map(decodeURIComponent);
  if (id !== clientId || secret !== clientSecret) return { status: 401, body: { error: 'invalid_client' } };
  const code = form.get('code') ?? '';
  const vouched = codes.get(code);
  codes.delete(code);
  const verifier = new TextEncoder().encode(form.get('code_verifier') ?? '');
  const hash = Buffer.from(await crypto.subtle.digest('SHA-256', verifier)).toString('base64url');
  if (!vouched || vouched.challenge !== hash) return { status: 400, body: { error: 'invalid_grant' } };
  const token = await vouched.token();
  return {
    status: 200,
    body: {
      access_token: 'access',
      token_type: 'Bearer',
      ...(token === undefined ? {} : { id_token: token }),
    },
  };
}
