// For tests only: how the directories of tests are asked.

import type { Directory } from '../../dev/servers/directory.ts';
import type { LdapSettings } from './env.ts';
import { type KindName, kinds } from './kinds.ts';

export const ldapSettings = (
  kind: KindName,
  directory: Omit<Directory, 'stop'>,
  changes: Partial<LdapSettings> = {},
): LdapSettings => ({
  kind,
  url: directory.url,
  isPlain: false,
  ca: directory.ca,
  issuer: `ldap:${directory.baseDn.toLowerCase()}`,
  baseDn: directory.baseDn,
  groupsDn: directory.baseDn,
  bindDn: directory.bindDn,
  bindPassword: directory.bindPassword,
  usernameAttribute: kinds[kind].usernameAttribute,
  ...changes,
});
