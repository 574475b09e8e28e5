import { DN } from 'ldapts';
import { expect, test } from 'vitest';
import { sharedOpenLdap } from '../../test/identity-providers.ts';
import { asking } from './connection.ts';
import { findBySubjects } from './people.ts';
import { changing, ldapSettings } from './testing.ts';

const openLdap = await sharedOpenLdap();
/** More than the server answers at once: slapd.conf(5), sizelimit. */
const many = 520;

test.skipIf(!openLdap)(
  'all are found, also when they are more than the directory answers at once',
  async () => {
    const settings = ldapSettings('openldap', openLdap!);
    const place = `${new DN().addPairRDN('ou', 'many')},${openLdap!.baseDn}`;
    const names = Array.from({ length: many }, (_, n) => `one-of-many-${n}`);
    const dnOf = (name: string) => `${new DN().addPairRDN('uid', name)},${place}`;
    await changing(openLdap!, async (client) => {
      await client.add(place, { objectClass: 'organizationalUnit', ou: 'many' });
      await Promise.all(
        names.map((uid) => client.add(dnOf(uid), { objectClass: 'inetOrgPerson', uid, cn: uid, sn: uid })),
      );
      try {
        const below = { filter: '(uid=*)', attributes: ['entryUUID'] };
        const { searchEntries } = await client.search(place, below);
        const subjects = searchEntries.map(({ entryUUID }) => String(entryUUID));
        await expect(asking(settings, 10_000, (reader) => reader.search(place, below))).rejects.toThrow(
          'result 4',
        );
        const found = await asking(settings, 10_000, (reader) =>
          findBySubjects(reader, settings, ['00000000-0000-0000-0000-000000000000', ...subjects]),
        );
        expect(found.map(({ username }) => username).toSorted()).toEqual(names.toSorted());
        expect(found.map(({ subject }) => subject)).toEqual(expect.arrayContaining(subjects));
      } finally {
        await Promise.all(names.map((name) => client.del(dnOf(name))));
        await client.del(place);
      }
    });
  },
);
