// Whether a name and a password are somebody's in the directory, and whose: found with our own account, tried with
// theirs.

import { type Client, ResultCodeError } from 'ldapts';
import type { DirectoryAnswer } from '../../shared/staff/directory.ts';
import { asking } from './connection.ts';
import type { LdapSettings } from './env.ts';
import { findByName, groupsOf } from './people.ts';

const limitMs = 6_000;

/** Of RFC 4511, what says that this person may not in, and not that the directory is away. */
const refusals = new Set([
  19, // constraintViolation: too many attempts there
  32, // noSuchObject
  48, // inappropriateAuthentication: they have no password
  49, // invalidCredentials
  50, // insufficientAccessRights
  53, // unwillingToPerform: the account is locked there
]);

/** The username in lower case. Throws DirectoryAway. */
export async function authenticate(
  settings: LdapSettings,
  { username, password }: { username: string; password: string },
): Promise<DirectoryAnswer> {
  // To a bind without a password directories answer success: it is an anonymous one (RFC 4513, 5.1.2).
  if (password === '') return { outcome: 'refused', because: 'password' };
  return asking(settings, limitMs, async (client) => {
    const person = await findByName(client, settings, username);
    if (!person) return { outcome: 'refused', because: 'unknown' };
    if (person.disabled) return { outcome: 'refused', because: 'disabled' };
    if (!(await mayBind(client, person.dn, password))) return { outcome: 'refused', because: 'password' };
    await client.bind(settings.bindDn, settings.bindPassword);
    const { subject, name, email } = person;
    const groups = await groupsOf(client, settings, person.dn);
    const identity = { issuer: settings.issuer, subject, username, name, email, groups };
    return { outcome: 'known', identity };
  });
}

async function mayBind(client: Client, dn: string, password: string): Promise<boolean> {
  try {
    await client.bind(dn, password);
    return true;
  } catch (error) {
    if (error instanceof ResultCodeError && refusals.has(error.code)) return false;
    throw error;
  }
}
