// The settings of signing in at a provider; .env.example documents each. Without an issuer there is no such way in.

import * as z from 'zod/mini';
import { SettingsFault } from '../../../shared/settings.ts';

/** TLS, except on this machine. */
function isProtected({ protocol, hostname }: URL): boolean {
  const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback);
}

const issuer = z.string().check(
  z.refine((text) => {
    if (!URL.canParse(text)) return false;
    const url = new URL(text);
    return isProtected(url) && `${url.search}${url.hash}${url.username}${url.password}` === '';
  }, 'expected https://host/path'),
);
const origins = z.pipe(
  z.pipe(
    z._default(z.string(), ''),
    z.transform((list) => list.split(',').flatMap((origin) => origin.trim() || [])),
  ),
  z.array(
    z
      .string()
      .check(
        z.refine(
          (text) => URL.canParse(text) && new URL(text).origin === text && isProtected(new URL(text)),
          'expected origins like https://host',
        ),
      ),
  ),
);
const scopes = z._default(
  z
    .string()
    .check(z.regex(/^openid( [!#-[\]-~]+)*$/, 'expected openid, and others with spaces between them')),
  'openid profile email',
);

export const oidcVariables = {
  OIDC_ISSUER: z.optional(issuer),
  OIDC_CLIENT_ID: z.optional(z.string()),
  OIDC_CLIENT_SECRET: z.optional(z.string()),
  OIDC_SCOPES: scopes,
  OIDC_GROUPS_CLAIM: z._default(z.string(), 'groups'),
  OIDC_ORIGINS: origins,
};

export interface OidcSettings {
  issuer: URL;
  clientId: string;
  clientSecret: string;
  scopes: string;
  groupsClaim: string;
  /** Where the provider's endpoints may be; nothing else is ever asked. */
  origins: readonly string[];
}

/** Throws SettingsFault. */
export function oidcSettings(values: {
  OIDC_ISSUER?: string | undefined;
  OIDC_CLIENT_ID?: string | undefined;
  OIDC_CLIENT_SECRET?: string | undefined;
  OIDC_SCOPES: string;
  OIDC_GROUPS_CLAIM: string;
  OIDC_ORIGINS: string[];
}): OidcSettings | undefined {
  const { OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET } = values;
  const given = { OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET };
  if (Object.values(given).every((value) => value === undefined)) return undefined;
  if (!OIDC_ISSUER || !OIDC_CLIENT_ID || !OIDC_CLIENT_SECRET) {
    const missing = Object.entries(given).filter(([, value]) => value === undefined);
    throw new SettingsFault(
      'auth',
      missing.map(([name]) => `${name}: is missing, the three of them belong together`),
    );
  }
  const url = new URL(OIDC_ISSUER);
  return {
    issuer: url,
    clientId: OIDC_CLIENT_ID,
    clientSecret: OIDC_CLIENT_SECRET,
    scopes: values.OIDC_SCOPES,
    groupsClaim: values.OIDC_GROUPS_CLAIM,
    origins: [url.origin, ...values.OIDC_ORIGINS],
  };
}
