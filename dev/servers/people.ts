// Made-up staff for the identity providers of tests: one of each group, one of two, one of none, and one who has left.
// Their passwords are new with every call.

import { randomBytes } from 'node:crypto';

export interface Person {
  /** Lower case. */
  username: string;
  password: string;
  givenName: string;
  familyName: string;
  email: string;
  groups: readonly string[];
  /** The account is there, and may not sign in. */
  disabled: boolean;
}

const peopleGroups = [
  'recoup-admins',
  'recoup-supervisors',
  'recoup-agents',
  'recoup-operations',
  'recoup-auditors',
] as const;

type Group = (typeof peopleGroups)[number];

export const fullName = (person: Person): string => `${person.givenName} ${person.familyName}`;

export function madeUpPeople(): Person[] {
  return [
    person('asha', 'Asha', 'Rao', ['recoup-admins']),
    person('bela', 'Bela', 'Shah', ['recoup-supervisors']),
    person('chitra', 'Chitra', 'Iyer', ['recoup-agents']),
    person('deepa', 'Deepa', 'Nair', ['recoup-operations']),
    person('esha', 'Esha', 'Bose', ['recoup-auditors']),
    // What a name needs escaped in a distinguished name, and in a filter.
    person('zoe', 'Zoë', 'O"Neill, (Jr.) + Sons*', ['recoup-agents', 'recoup-supervisors']),
    person('gita', 'Gita', 'Menon', []),
    { ...person('hari', 'Hari', 'Kumar', ['recoup-agents']), disabled: true },
  ];
}

function person(username: string, givenName: string, familyName: string, groups: readonly Group[]): Person {
  // With a character of each kind, which Active Directory asks for.
  const password = `Aa1-${randomBytes(12).toString('hex')}`;
  const email = `${username}@recoup.test`;
  return { username, password, givenName, familyName, email, groups, disabled: false };
}
