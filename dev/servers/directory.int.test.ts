// OpenLDAP and Active Directory in what the sign-in asks of both, and in what each has alone.

import { connect } from 'node:tls';
import { Client, DN, EqualityFilter } from 'ldapts';
import { describe, expect, test } from 'vitest';
import { sharedActiveDirectory, sharedOpenLdap } from '../../test/identity-providers.ts';
import { fullName } from './people.ts';

const [openLdap, activeDirectory] = await Promise.all([sharedOpenLdap(), sharedActiveDirectory()]);

type Shared = NonNullable<typeof openLdap>;

async function asking<T>(directory: Shared, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ url: directory.url, timeout: 10_000, tlsOptions: { ca: directory.ca } });
  try {
    return await work(client);
  } finally {
    await client.unbind();
  }
}

/** Whether they may sign in. */
const mayBind = (directory: Shared, dn: string, password: string) =>
  asking(directory, (client) =>
    client.bind(dn, password).then(
      () => true,
      () => false,
    ),
  );

const entryOf = (directory: Shared, attribute: string, value: string, attributes: string[]) =>
  asking(directory, async (client) => {
    await client.bind(directory.bindDn, directory.bindPassword);
    const filter = new EqualityFilter({ attribute, value });
    const { searchEntries } = await client.search(directory.baseDn, { filter, attributes });
    return searchEntries[0]!;
  });

const kinds = [
  { kind: 'OpenLDAP', directory: openLdap, name: 'uid' },
  { kind: 'Active Directory', directory: activeDirectory, name: 'sAMAccountName' },
];

describe.each(kinds)('$kind', ({ directory, name }) => {
  test.skipIf(!directory)('knows its people by name, with their groups, and their passwords', async () => {
    for (const person of directory!.people) {
      const entry = await entryOf(directory!, name, person.username, ['displayName', 'mail', 'memberOf']);
      expect(entry).toMatchObject({ displayName: fullName(person), mail: person.email });
      const groups = [entry.memberOf ?? []].flat().map((dn) => /^cn=([^,]+)/i.exec(String(dn))?.[1]);
      expect(groups.toSorted()).toEqual(person.groups.toSorted());
      expect(await mayBind(directory!, entry.dn, person.password), person.username).toBe(!person.disabled);
      expect(await mayBind(directory!, entry.dn, 'guessed'), person.username).toBe(false);
    }
  });

  test.skipIf(!directory)('finds the members of a group by their names, however strange', async () => {
    const { dn } = await entryOf(directory!, name, 'zoe', []);
    const of = await asking(directory!, async (client) => {
      await client.bind(directory!.bindDn, directory!.bindPassword);
      const filter = new EqualityFilter({ attribute: 'member', value: dn });
      return (await client.search(directory!.baseDn, { filter, attributes: ['cn'] })).searchEntries;
    });
    expect(of.map(({ cn }) => cn).toSorted()).toEqual(['recoup-agents', 'recoup-supervisors']);
  });

  test.skipIf(!directory)('takes a password after StartTLS, and none before it', async () => {
    const client = new Client({ url: directory!.plainUrl, timeout: 10_000 });
    await expect(client.bind(directory!.bindDn, directory!.bindPassword)).rejects.toThrow(
      /confidentiality|encryption/i,
    );
    await client.startTLS({ ca: directory!.ca });
    await client.bind(directory!.bindDn, directory!.bindPassword);
    await client.unbind();
  });

  test.skipIf(!directory)('shows a certificate that is trusted only by who was given it', async () => {
    const { hostname: host, port } = new URL(directory!.url);
    const failure = await new Promise<Error>((resolve) => {
      connect({ host, port: Number(port || 636) }).once('error', resolve);
    });
    expect(failure).toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  });

  test.skipIf(!directory)('tells nothing to strangers, and lets the reader change nothing', async () => {
    await asking(directory!, async (client) => {
      await expect(client.search(directory!.baseDn, { filter: '(objectClass=*)' })).rejects.toThrow();
    });
    const { dn } = await entryOf(directory!, name, 'asha', []);
    await asking(directory!, async (client) => {
      await client.bind(directory!.bindDn, directory!.bindPassword);
      await expect(client.del(dn)).rejects.toThrow(/access/i);
    });
  });
});

test.skipIf(!activeDirectory)('a disabled account says so, and a name with a domain signs in', async () => {
  const asha = activeDirectory!.people.find((person) => person.username === 'asha')!;
  const attributes = ['userAccountControl', 'userPrincipalName'];
  const flags = async (username: string) =>
    Number((await entryOf(activeDirectory!, 'sAMAccountName', username, attributes)).userAccountControl);
  expect((await flags('hari')) & 0x2).toBe(0x2);
  expect((await flags('asha')) & 0x2).toBe(0);
  for (const name of ['asha@recoup.test', 'RECOUP\\asha']) {
    expect(await mayBind(activeDirectory!, name, asha.password)).toBe(true);
  }
});

test.skipIf(!openLdap)('who is moved out of a group is no member at once', async () => {
  const { admin, baseDn } = openLdap!;
  const group = `${new DN().addPairRDN('cn', 'passing')},ou=groups,${baseDn}`;
  const { dn } = await entryOf(openLdap!, 'uid', 'gita', []);
  const memberOf = async () => (await entryOf(openLdap!, 'uid', 'gita', ['memberOf'])).memberOf;
  await asking(openLdap!, async (client) => {
    await client.bind(admin.dn, admin.password);
    await client.add(group, { objectClass: 'groupOfNames', cn: 'passing', member: dn });
    expect(await memberOf()).toBe(group);
    await client.del(group);
    expect(await memberOf()).toEqual([]);
  });
});
