// The settings of the directory's container; .env.example documents each.

import { readFileSync } from 'node:fs';
import * as z from 'zod/mini';
import { flag, parseSettings, port, SettingsFault, text, url, wholeNumber } from '../../shared/settings.ts';
import { directoryKey } from '../../shared/staff/directory.ts';
import { groupRolesSetting } from '../../shared/staff/group-roles.ts';
import { agreeing, commonSettings, commonVariables } from '../settings.ts';
import { type KindName, kindNames, kinds } from './kinds.ts';

const fields = {
  ...commonVariables,
  DIRECTORY_HOST: z._default(z.string(), '127.0.0.1'),
  DIRECTORY_PORT: port(8790),
  DIRECTORY_KEY: directoryKey(),
  DIRECTORY_KIND: z.enum(kindNames, `expected ${kindNames.join(' or ')}`),
  DIRECTORY_LDAP_URL: url('the directory', ['ldaps', 'ldap'], 'ldaps://host:port, or ldap:// for StartTLS'),
  DIRECTORY_PLAIN_LDAP: flag(false),
  DIRECTORY_CA_FILE: z.optional(z.string()),
  DIRECTORY_BASE_DN: text('the distinguished name below which people are'),
  DIRECTORY_GROUPS_DN: z.optional(z.string()),
  DIRECTORY_BIND_DN: text('the account that may read people and groups'),
  DIRECTORY_BIND_PASSWORD: text('its password'),
  DIRECTORY_USERNAME_ATTRIBUTE: z.optional(
    z.string().check(z.regex(/^[A-Za-z][A-Za-z0-9-]*$/, 'expected the name of an attribute')),
  ),
  DIRECTORY_SYNC_MINUTES: wholeNumber(15, 1, 1_440),
  DIRECTORY_MOST_LEAVE_PERCENT: wholeNumber(30, 1, 100),
  GROUP_ROLES: groupRolesSetting(),
};
type Fields = z.output<z.ZodMiniObject<typeof fields>>;

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const isLoopback = (ldapUrl: string) => URL.canParse(ldapUrl) && loopback.test(new URL(ldapUrl).hostname);

const variables = z
  .object(fields)
  .check(
    agreeing((v: Fields) => [
      v.DIRECTORY_PLAIN_LDAP &&
        !isLoopback(v.DIRECTORY_LDAP_URL) && [
          'DIRECTORY_PLAIN_LDAP',
          'passwords may go in the clear to this machine only',
        ],
    ]),
  );

/** How the directory is asked. */
export interface LdapSettings {
  kind: KindName;
  url: string;
  /** With ldap://, no StartTLS either. */
  isPlain: boolean;
  /** As PEM; undefined for those that Node trusts. */
  ca: string | undefined;
  /** Who vouches for its people. */
  issuer: string;
  baseDn: string;
  groupsDn: string;
  bindDn: string;
  bindPassword: string;
  usernameAttribute: string;
}

/** Throws SettingsFault. */
export function readDirectorySettings(env: Record<string, unknown>) {
  const v = parseSettings('directory', variables, env);
  const ldap: LdapSettings = {
    kind: v.DIRECTORY_KIND,
    url: v.DIRECTORY_LDAP_URL,
    isPlain: v.DIRECTORY_PLAIN_LDAP,
    ca: v.DIRECTORY_CA_FILE === undefined ? undefined : certificates(v.DIRECTORY_CA_FILE),
    issuer: `ldap:${v.DIRECTORY_BASE_DN.toLowerCase()}`,
    baseDn: v.DIRECTORY_BASE_DN,
    groupsDn: v.DIRECTORY_GROUPS_DN ?? v.DIRECTORY_BASE_DN,
    bindDn: v.DIRECTORY_BIND_DN,
    bindPassword: v.DIRECTORY_BIND_PASSWORD,
    usernameAttribute: v.DIRECTORY_USERNAME_ATTRIBUTE ?? kinds[v.DIRECTORY_KIND].usernameAttribute,
  };
  return {
    ...commonSettings(v),
    host: v.DIRECTORY_HOST,
    port: v.DIRECTORY_PORT,
    key: v.DIRECTORY_KEY,
    ldap,
    sync: { everyMs: v.DIRECTORY_SYNC_MINUTES * 60_000, mostLeave: v.DIRECTORY_MOST_LEAVE_PERCENT },
    groupRoles: v.GROUP_ROLES,
  };
}

function certificates(path: string): string {
  try {
    const pem = readFileSync(path, 'utf8');
    if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
  } catch {
    // Told like a file of something else.
  }
  throw new SettingsFault('directory', ['DIRECTORY_CA_FILE: expected a file of certificates in PEM']);
}
