// For tests only: how the directories of tests are asked, and people of a test's own in them.

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Attribute, Change, Client, DN } from 'ldapts';
import type { Directory } from '../../dev/servers/directory.ts';
import type { LdapSettings } from './env.ts';
import { type KindName, kinds } from './kinds.ts';

type Known = Omit<Directory, 'stop'>;

export const directoryKey = 'the-key-of-the-directory-in-tests';

export const ldapSettings = (
  kind: KindName,
  directory: Known,
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

/** The container's settings but for its database and port. */
export function directoryEnv(kind: KindName, directory: Known, folder: string): Record<string, string> {
  const caFile = join(folder, `${kind}.pem`);
  writeFileSync(caFile, directory.ca);
  return {
    DIRECTORY_KIND: kind,
    DIRECTORY_KEY: directoryKey,
    DIRECTORY_LDAP_URL: directory.url,
    DIRECTORY_CA_FILE: caFile,
    DIRECTORY_BASE_DN: directory.baseDn,
    DIRECTORY_BIND_DN: directory.bindDn,
    DIRECTORY_BIND_PASSWORD: directory.bindPassword,
  };
}

/** With a client that may change anything. */
export async function changing<T>(directory: Known, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ url: directory.url, timeout: 10_000, tlsOptions: { ca: directory.ca } });
  try {
    await client.bind(directory.admin.dn, directory.admin.password);
    return await work(client);
  } finally {
    await client.unbind();
  }
}

const places = {
  openldap: { people: 'ou=people', groups: 'ou=groups' },
  'active-directory': { people: 'CN=Users', groups: 'CN=Users' },
} as const;

export const groupDn = (kind: KindName, { baseDn }: Known, name: string): string =>
  `${new DN().addPairRDN('CN', name)},${places[kind].groups},${baseDn}`;

export interface OwnPerson {
  username: string;
  password: string;
  /** With nobody else in it; its distinguished name. */
  group: string;
  change(attribute: string, value: string): Promise<void>;
  leaveGroup(): Promise<void>;
  /** The person is gone there, and the group with them. */
  remove(): Promise<void>;
}

/** Somebody new, in a group of their own. */
export async function addPerson(kind: KindName, directory: Known): Promise<OwnPerson> {
  const username = `own-${randomBytes(6).toString('hex')}`;
  const password = `Aa1-${randomBytes(12).toString('hex')}`;
  const groupName = `${username}-group`;
  const dn = `${new DN().addPairRDN('CN', username)},${places[kind].people},${directory.baseDn}`;
  const group = groupDn(kind, directory, groupName);
  const shown = { displayName: 'Own Person', sn: 'Person', mail: `${username}@recoup.test` };
  await changing(directory, async (client) => {
    if (kind === 'openldap') {
      const person = { objectClass: 'inetOrgPerson', uid: username, cn: username, userPassword: password };
      await client.add(dn, { ...person, ...shown });
      await client.add(group, { objectClass: 'groupOfNames', cn: groupName, member: dn });
      return;
    }
    await client.add(dn, {
      ...{ objectClass: 'user', sAMAccountName: username, userAccountControl: '512', ...shown },
      // Quoted, in UTF-16; as text it is still this, as all its characters are below 128.
      unicodePwd: Buffer.from(`"${password}"`, 'utf16le').toString('latin1'),
    });
    await client.add(group, { objectClass: 'group', sAMAccountName: groupName, member: dn });
  });
  return {
    username,
    password,
    group,
    change: (type, value) =>
      changing(directory, (client) =>
        client.modify(
          dn,
          new Change({ operation: 'replace', modification: new Attribute({ type, values: [value] }) }),
        ),
      ),
    leaveGroup: () => changing(directory, (client) => client.del(group)),
    remove: () =>
      changing(directory, async (client) => {
        await client.del(group).catch(() => {});
        await client.del(dn);
      }),
  };
}
