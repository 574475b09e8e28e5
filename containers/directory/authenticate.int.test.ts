// Signing in against the real OpenLDAP and a real Active Directory domain controller.

import { DN } from 'ldapts';
import { describe, expect, test } from 'vitest';
import type { Person } from '../../dev/servers/people.ts';
import { fullName } from '../../dev/servers/people.ts';
import { DirectoryAway } from '../../shared/staff/directory-away.ts';
import { sharedActiveDirectory, sharedOpenLdap } from '../../test/identity-providers.ts';
import { authenticate } from './authenticate.ts';
import type { KindName } from './kinds.ts';
import { changing, groupDn, ldapSettings } from './testing.ts';

const [openLdap, activeDirectory] = await Promise.all([sharedOpenLdap(), sharedActiveDirectory()]);
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

type Shared = NonNullable<typeof openLdap>;

const kinds: { kind: KindName; directory: Shared | null }[] = [
  { kind: 'openldap', directory: openLdap },
  { kind: 'active-directory', directory: activeDirectory },
];

describe.each(kinds)('$kind', ({ kind, directory }) => {
  const settings = directory ? ldapSettings(kind, directory) : (undefined as never);
  const person = (username: string): Person =>
    directory!.people.find((some) => some.username === username) as Person;
  const tryThem = (username: string, password: string) => authenticate(settings, { username, password });

  test.skipIf(!directory)('a name and its password are somebody, with their groups', async () => {
    const subjects = new Set<string>();
    for (const known of directory!.people.filter(({ disabled }) => !disabled)) {
      const answer = await tryThem(known.username, known.password);
      if (answer.outcome !== 'known') throw new Error(answer.because);
      const { groups, subject, ...identity } = answer.identity;
      expect(identity).toEqual({
        issuer: 'ldap:dc=recoup,dc=test',
        username: known.username,
        name: fullName(known),
        email: known.email,
      });
      expect(subject).toMatch(uuid);
      subjects.add(subject);
      expect(groups.map((group) => group.toLowerCase()).toSorted()).toEqual(
        known.groups.map((name) => groupDn(kind, directory!, name).toLowerCase()).toSorted(),
      );
    }
    expect(subjects.size).toBe(directory!.people.length - 1);
  });

  test.skipIf(!directory)('a wrong, a foreign and an empty password are refused', async () => {
    const refused = { outcome: 'refused', because: 'password' };
    expect(await tryThem('asha', 'guessed')).toEqual(refused);
    expect(await tryThem('asha', person('bela').password)).toEqual(refused);
    // To the directory an empty one would be a bind as nobody, which succeeds.
    expect(await tryThem('asha', '')).toEqual(refused);
  });

  test.skipIf(!directory)('a disabled account is refused, the right password or not', async () => {
    const { username, password } = person('hari');
    const refused = { outcome: 'refused', because: 'disabled' };
    expect(await tryThem(username, password)).toEqual(refused);
    expect(await tryThem(username, 'guessed')).toEqual(refused);
  });

  test.skipIf(!directory)('no name changes the question that is asked', async () => {
    const { password } = person('asha');
    const names = [
      'nobody',
      '*',
      'ash*',
      'asha)(objectClass=*',
      '*)(uid=*))(|(uid=*',
      'asha)(|(mail=*',
      'asha\\2a',
      'asha\0',
      'asha ',
      ' asha',
      '\\61sha',
      'ａsha',
      'ásha',
    ];
    for (const name of names) {
      expect(await tryThem(name, password), name).toEqual({ outcome: 'refused', because: 'unknown' });
    }
  });

  test.skipIf(!directory)(
    'after StartTLS it is the same, and without the right certificate it is away',
    async () => {
      const { username, password } = person('chitra');
      const startTls = ldapSettings(kind, directory!, { url: directory!.plainUrl });
      expect(await authenticate(startTls, { username, password })).toMatchObject({ outcome: 'known' });
      const other = kind === 'openldap' ? activeDirectory : openLdap;
      for (const ca of [undefined, ...(other ? [other.ca] : [])]) {
        for (const untrusting of [
          { ...settings, ca },
          { ...startTls, ca },
        ]) {
          await expect(authenticate(untrusting, { username, password })).rejects.toThrow(DirectoryAway);
        }
      }
    },
  );

  test.skipIf(!directory)('when it cannot be asked, nobody is refused', async () => {
    const { username, password } = person('asha');
    const asked = { username, password };
    const changes = [
      { bindPassword: 'changed', reason: 'the directory refuses our own account' },
      { baseDn: 'dc=elsewhere,dc=test', reason: /the directory answered result \d+/ },
      { url: 'ldaps://127.0.0.1:1', reason: 'the directory cannot be reached: ECONNREFUSED' },
      { url: directory!.plainUrl, isPlain: true, reason: /the directory answered result \d+/ },
    ];
    for (const { reason, ...change } of changes) {
      const failing = authenticate({ ...settings, ...change }, asked);
      await expect(failing).rejects.toThrow(DirectoryAway);
      await expect(failing).rejects.toThrow(reason);
    }
  });
});

test.skipIf(!activeDirectory)('in Active Directory a group within a group counts', async () => {
  const dnOf = (name: string) => `${new DN().addPairRDN('CN', name)},CN=Users,${activeDirectory!.baseDn}`;
  const gita = activeDirectory!.people.find(({ username }) => username === 'gita') as Person;
  const [outer, middle, inner] = ['outer', 'middle', 'inner'].map((name) => `nested-${name}`) as [
    string,
    string,
    string,
  ];
  const settings = ldapSettings('active-directory', activeDirectory!);
  await changing(activeDirectory!, async (client) => {
    const add = (name: string, member: string) =>
      client.add(dnOf(name), { objectClass: 'group', sAMAccountName: name, member });
    await add(inner, dnOf(fullName(gita)));
    await add(middle, dnOf(inner));
    await add(outer, dnOf(middle));
    try {
      const answer = await authenticate(settings, gita);
      expect(answer).toMatchObject({
        identity: { groups: expect.arrayContaining([dnOf(inner), dnOf(middle), dnOf(outer)]) },
      });
      // Below a folder without groups there are none.
      const elsewhere = { ...settings, groupsDn: `OU=Domain Controllers,${settings.baseDn}` };
      expect(await authenticate(elsewhere, gita)).toMatchObject({ identity: { groups: [] } });
    } finally {
      for (const name of [outer, middle, inner]) await client.del(dnOf(name));
    }
  });
});
