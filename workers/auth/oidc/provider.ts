// The provider as OpenID Connect knows it: found by its issuer, asked for a code and for whom it vouches. Its signature
// is verified although the ID token comes straight from it.

import * as oidc from 'openid-client';
import { ok, type Result, refused } from '../../../shared/result.ts';
import type { Identity } from '../../../shared/staff/identity.ts';
import { identityFrom } from './identity-from.ts';
import type { Journey } from './journey.ts';
import { ProviderFault, providerFetch } from './provider-fetch.ts';
import type { OidcSettings } from './settings.ts';

/** Of each question; there are at most four in a sign-in. */
const timeoutSeconds = 4;
const keptForMs = 10 * 60_000;
const clockToleranceSeconds = 30;

/** What this isolate knows of the settings' provider. */
const kept = new WeakMap<OidcSettings, { provider: oidc.Configuration; until: number }>();

/** Throws when it is away, or is not what the settings say. */
export async function openProvider(settings: OidcSettings): Promise<oidc.Configuration> {
  const held = kept.get(settings);
  if (held && held.until > Date.now()) return held.provider;
  const { issuer, clientId, clientSecret, origins } = settings;
  const provider = await oidc.discovery(
    issuer,
    clientId,
    { [oidc.clockTolerance]: clockToleranceSeconds },
    (server, ...asked) => {
      const { token_endpoint_auth_methods_supported: methods = [] } = server;
      const authenticate = methods.includes('client_secret_post')
        ? oidc.ClientSecretPost(clientSecret)
        : oidc.ClientSecretBasic(clientSecret);
      return authenticate(server, ...asked);
    },
    {
      timeout: timeoutSeconds,
      [oidc.customFetch]: providerFetch(origins),
      execute: [
        oidc.enableNonRepudiationChecks,
        ...(issuer.protocol === 'http:' ? [oidc.allowInsecureRequests] : []),
      ],
    },
  );
  const metadata = provider.serverMetadata();
  // Some providers have one document for the customers of all.
  if (new URL(metadata.issuer).href !== issuer.href) {
    throw new ProviderFault(`${issuer.href} says that it is ${metadata.issuer}`);
  }
  for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const) {
    if (!isAllowed(settings, metadata[name])) throw new ProviderFault(`its ${name} is not where it may be`);
  }
  kept.set(settings, { provider, until: Date.now() + keptForMs });
  return provider;
}

const isAllowed = ({ origins }: OidcSettings, url: string | undefined): url is string =>
  url !== undefined && URL.canParse(url) && origins.includes(new URL(url).origin);

/** Where a browser goes to sign in, and what it takes along. */
export async function beginAt(
  settings: OidcSettings,
  redirectUri: string,
): Promise<{ url: URL; journey: Omit<Journey, 'returnTo'> }> {
  const provider = await openProvider(settings);
  const journey = {
    state: oidc.randomState(),
    nonce: oidc.randomNonce(),
    verifier: oidc.randomPKCECodeVerifier(),
  };
  const url = oidc.buildAuthorizationUrl(provider, {
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: settings.scopes,
    state: journey.state,
    nonce: journey.nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(journey.verifier),
    code_challenge_method: 'S256',
  });
  return { url, journey };
}

/** Whom the provider vouches for, or why for nobody. Throws when it is away. `answered` is where it sent the browser. */
export async function completeAt(
  settings: OidcSettings,
  answered: URL,
  { state, nonce, verifier }: Journey,
): Promise<Result<Identity, { because: string; error: unknown }>> {
  const provider = await openProvider(settings);
  try {
    const tokens = await oidc.authorizationCodeGrant(provider, answered, {
      expectedState: state,
      expectedNonce: nonce,
      pkceCodeVerifier: verifier,
      idTokenExpected: true,
    });
    const told = tokens.claims();
    if (!told) throw new ProviderFault('there is no ID token');
    // Some keep ID tokens small and tell the rest when asked.
    const isWhole = told.preferred_username !== undefined && told[settings.groupsClaim] !== undefined;
    const asked =
      isWhole || !isAllowed(settings, provider.serverMetadata().userinfo_endpoint)
        ? {}
        : await oidc.fetchUserInfo(provider, tokens.access_token, told.sub);
    return ok(identityFrom({ ...asked, ...told }, settings.groupsClaim));
  } catch (error) {
    const because = refusalIn(error);
    if (because === undefined) throw error;
    return refused({ because, error });
  }
}

/** Codes of answers that are there and do not convince. */
const unconvincing = [
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_JWT_TIMESTAMP_CHECK_FAILED',
  'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED',
  'OAUTH_KEY_SELECTION_FAILED',
  'OAUTH_UNSUPPORTED_OPERATION',
];

/** Undefined for a fault. */
function refusalIn(error: unknown): string | undefined {
  if (error instanceof oidc.AuthorizationResponseError) {
    return /^[a-z_]{1,40}$/.test(error.error) ? `provider_${error.error}` : 'provider_error';
  }
  if (error instanceof oidc.ResponseBodyError) return error.error === 'invalid_grant' ? 'code' : undefined;
  const isUnconvincing = error instanceof oidc.ClientError && unconvincing.includes(error.code ?? '');
  return isUnconvincing ? 'id_token' : undefined;
}

/** Where a browser signs out at the provider too; undefined where it has no such place, or is away. */
export async function endSessionUrl(settings: OidcSettings, returnTo: string): Promise<string | undefined> {
  const provider = await openProvider(settings).catch(() => undefined);
  if (!provider || !isAllowed(settings, provider.serverMetadata().end_session_endpoint)) return undefined;
  return oidc.buildEndSessionUrl(provider, { post_logout_redirect_uri: returnTo }).href;
}
