// What differs between the directories: how they name people, what tells somebody apart for ever, how groups are asked
// for, and how an account says that it is not to be used.

import { AndFilter, EqualityFilter, ExtensibleFilter, type Filter, OrFilter } from 'ldapts';

type Values = Record<string, string | string[] | Buffer | Buffer[] | undefined>;

export interface Kind {
  /** What people type as their name, where no setting says otherwise. */
  usernameAttribute: string;
  /** Of an entry; it stays when the person is renamed or moved. */
  subject: { attribute: string; isBinary: boolean; read: (value: string | Buffer) => string };
  /** What finds the entry with this subject. */
  subjectValue: (subject: string) => string | Buffer;
  isPerson: Filter;
  groupsOf: (dn: string) => Filter;
  /** What `isDisabled` looks at. */
  accountAttributes: readonly string[];
  isDisabled: (entry: Values, now: Date) => boolean;
}

const equal = (attribute: string, value: string) => new EqualityFilter({ attribute, value });
const text = (value: Values[string]): string => String([value ?? ''].flat()[0] ?? '');

/** [MS-ADTS] 2.2.16: ADS_UF_ACCOUNTDISABLE. */
const accountDisabled = 0x2;
/** [MS-ADTS] 3.1.1.3.4.4.1: LDAP_MATCHING_RULE_IN_CHAIN; groups in groups, however deep. */
const inChain = '1.2.840.113556.1.4.1941';
const ticksPerMs = 10_000n;
const msFrom1601To1970 = 11_644_473_600_000n;
/** Two ways to say never; beyond the range of dates anyway. */
const neverExpires = [0n, 0x7fff_ffff_ffff_ffffn];

const activeDirectory: Kind = {
  usernameAttribute: 'sAMAccountName',
  subject: {
    attribute: 'objectGUID',
    isBinary: true,
    read: (value) => guidText(Buffer.from(value as Buffer)),
  },
  subjectValue: guidBytes,
  isPerson: new AndFilter({ filters: [equal('objectCategory', 'person'), equal('objectClass', 'user')] }),
  groupsOf: (dn) =>
    new AndFilter({
      filters: [
        equal('objectClass', 'group'),
        new ExtensibleFilter({ matchType: 'member', rule: inChain, value: dn }),
      ],
    }),
  accountAttributes: ['userAccountControl', 'accountExpires'],
  isDisabled: (entry, now) => {
    if ((Number(text(entry.userAccountControl)) & accountDisabled) !== 0) return true;
    const expires = BigInt(text(entry.accountExpires) || '0');
    return (
      !neverExpires.includes(expires) && expires / ticksPerMs - msFrom1601To1970 <= BigInt(now.getTime())
    );
  },
};

/** slapo-ppolicy(5): locked until somebody unlocks it. Another time there passes by itself. */
const lockedForGood = '000001010000Z';

const openLdap: Kind = {
  usernameAttribute: 'uid',
  subject: { attribute: 'entryUUID', isBinary: false, read: String },
  subjectValue: (subject) => subject,
  isPerson: equal('objectClass', 'person'),
  groupsOf: (dn) => new OrFilter({ filters: [equal('member', dn), equal('uniqueMember', dn)] }),
  accountAttributes: ['pwdAccountLockedTime'],
  isDisabled: (entry) => text(entry.pwdAccountLockedTime) === lockedForGood,
};

export const kinds = { openldap: openLdap, 'active-directory': activeDirectory } as const;
export type KindName = keyof typeof kinds;
export const kindNames = Object.keys(kinds) as KindName[];

/** [MS-DTYP] 2.3.4.2: the first three parts of a GUID have their bytes the other way round. */
const guidOrder = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

export function guidText(bytes: Buffer): string {
  const hex = guidOrder.map((at) => (bytes[at] ?? 0).toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export function guidBytes(guid: string): Buffer {
  const straight = Buffer.from(guid.replaceAll('-', ''), 'hex');
  // The order is its own inverse.
  return Buffer.from(guidOrder.map((at) => straight[at] ?? 0));
}
