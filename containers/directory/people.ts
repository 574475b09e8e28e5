// People as the directory has them: found by the name that they type, or by what stays theirs for ever. What is asked
// for is sent as values beside the filter, not as text within it, so that no name can change the question.

import { AndFilter, type Client, type Entry, EqualityFilter, OrFilter } from 'ldapts';
import { searchSeconds } from './connection.ts';
import type { LdapSettings } from './env.ts';
import { kinds } from './kinds.ts';

export interface Found {
  dn: string;
  subject: string;
  /** Lower case. */
  username: string;
  name: string;
  email: string | null;
  disabled: boolean;
}

/** A server may limit how much it answers; so few are never too many. */
const atOnce = 100;
/** RFC 4511, 4.5.1.8. */
const noAttributes = '1.1';

/** Nobody when there are two of this name. */
export async function findByName(
  client: Client,
  settings: LdapSettings,
  username: string,
): Promise<Found | undefined> {
  const isNamed = new EqualityFilter({ attribute: settings.usernameAttribute, value: username });
  const found = await search(client, settings, isNamed, 2);
  // Directories also take a name for another that only looks like it.
  return found.length === 1 && found[0]?.username === username ? found[0] : undefined;
}

/** By their subjects; those who are not there are not in the answer. */
export async function findBySubjects(
  client: Client,
  settings: LdapSettings,
  subjects: readonly string[],
): Promise<Found[]> {
  const { subject, subjectValue } = kinds[settings.kind];
  const found: Found[] = [];
  for (let from = 0; from < subjects.length; from += atOnce) {
    const filters = subjects
      .slice(from, from + atOnce)
      .map((value) => new EqualityFilter({ attribute: subject.attribute, value: subjectValue(value) }));
    found.push(...(await search(client, settings, new OrFilter({ filters }))));
  }
  return found;
}

/**
 * The groups that somebody is in, by their distinguished names: a name alone may be another group's elsewhere. Throws
 * where the server would answer only some of them.
 */
export async function groupsOf(client: Client, settings: LdapSettings, dn: string): Promise<string[]> {
  const { groupsOf: areOf } = kinds[settings.kind];
  const { searchEntries } = await client.search(settings.groupsDn, {
    filter: areOf(dn),
    attributes: [noAttributes],
    timeLimit: searchSeconds,
  });
  return searchEntries.map(({ dn: group }) => group);
}

async function search(
  client: Client,
  settings: LdapSettings,
  filter: EqualityFilter | OrFilter,
  sizeLimit?: number,
): Promise<Found[]> {
  const { isPerson, subject, accountAttributes } = kinds[settings.kind];
  const { searchEntries } = await client.search(settings.baseDn, {
    filter: new AndFilter({ filters: [isPerson, filter] }),
    attributes: [
      ...[subject.attribute, settings.usernameAttribute, 'displayName', 'cn', 'mail'],
      ...accountAttributes,
    ],
    explicitBufferAttributes: subject.isBinary ? [subject.attribute] : [],
    timeLimit: searchSeconds,
    ...(sizeLimit === undefined ? {} : { sizeLimit }),
  });
  return searchEntries.flatMap((entry) => personOf(entry, settings) ?? []);
}

const first = (value: Entry[string] | undefined): string => String([value ?? ''].flat()[0] ?? '');

/** Undefined where we may not read what tells them apart. */
function personOf(entry: Entry, { kind, usernameAttribute }: LdapSettings): Found | undefined {
  const { subject, isDisabled } = kinds[kind];
  const [id] = [entry[subject.attribute] ?? []].flat();
  if (id === undefined || id.length === 0) return undefined;
  return {
    dn: entry.dn,
    subject: subject.read(id),
    username: first(entry[usernameAttribute]).toLowerCase(),
    name: first(entry.displayName) || first(entry.cn),
    email: first(entry.mail) || null,
    disabled: isDisabled(entry, new Date()),
  };
}
