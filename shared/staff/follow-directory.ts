// Has people here be as their directory says that they are: who has left it, is disabled there or is in no group that is
// worth a role is let in no more, and is out everywhere at once. Nobody becomes known by it.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import { type GroupRoles, rolesOfGroups } from './group-roles.ts';
import { type Identity, keptEmail, keptName } from './identity.ts';
import { directoryPeople, type Followed, saveAsThere } from './identity-store.ts';

/** Somebody who is there and not disabled. */
export type There = Pick<Identity, 'subject' | 'name' | 'email' | 'groups'>;

/** So few may always leave. */
const few = 5;

/** Refused when more would have to leave than `mostLeave` percent: somebody has changed a setting, and nobody has left. */
export async function followDirectory(
  db: Database,
  {
    issuer,
    groupRoles,
    mostLeave,
    look,
  }: {
    issuer: string;
    groupRoles: GroupRoles;
    mostLeave: number;
    /** Those of these subjects who are there and not disabled. */
    look: (subjects: readonly string[]) => Promise<There[]>;
  },
): Promise<Result<{ people: number; followed: Followed[] }, { leaving: number }>> {
  const known = await directoryPeople(db, issuer);
  if (known.length === 0) return ok({ people: 0, followed: [] });
  const there = new Map<string, There>();
  for (const person of await look(known.map(({ subject }) => subject))) there.set(person.subject, person);

  const people = known.map(({ subject, status }) => {
    const found = there.get(subject);
    if (!found) return { subject, status, there: false as const };
    const { roles, keptHere } = rolesOfGroups(groupRoles, found.groups);
    return {
      subject,
      status,
      there: true as const,
      name: keptName(found.name) || null,
      email: keptEmail(found.email),
      roles,
      keptHere,
    };
  });
  const active = people.filter(({ status }) => status === 'active');
  const leaving = active.filter((person) => !person.there || person.roles.length === 0).length;
  if (leaving > Math.max(few, (active.length * mostLeave) / 100)) return refused({ leaving });
  return ok({ people: people.length, followed: await saveAsThere(db, issuer, people) });
}
