// Claims of a provider as somebody whom it vouches for.

import type { Identity } from '../../../shared/staff/identity.ts';
import { ProviderFault } from './provider-fetch.ts';

const textOf = (claim: unknown): string | undefined =>
  typeof claim === 'string' && claim.trim() !== '' ? claim : undefined;

/** Throws ProviderFault for a subject that the specification does not allow. */
export function identityFrom(claims: Record<string, unknown>, groupsClaim: string): Identity {
  const { iss, sub } = claims;
  if (typeof sub !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(sub))
    throw new ProviderFault('its subject is none');
  const email = claims.email_verified === false ? undefined : textOf(claims.email);
  const username = textOf(claims.preferred_username) ?? email ?? sub;
  const parts = [textOf(claims.given_name), textOf(claims.family_name)].filter((part) => part !== undefined);
  const groups = claims[groupsClaim];
  return {
    source: 'oidc',
    issuer: String(iss),
    subject: sub,
    username,
    name: textOf(claims.name) ?? (parts.join(' ') || username),
    email: email ?? null,
    groups: (Array.isArray(groups) ? groups : [groups]).filter((group) => typeof group === 'string'),
  };
}
