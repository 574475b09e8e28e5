// The directory's step: looks whether the directory lets itself be asked, and every few minutes has the people here be
// as they are there.
//
//   the directory              what follows
//   is away                    nobody changes; tried again by the loop
//   answers                    people follow it, once in `everyMs`
//   would have too many leave  nobody changes; said aloud, and looked at again next time

import type { Client } from 'ldapts';
import type { Database } from '../../shared/database.ts';
import type { Log } from '../../shared/log.ts';
import { followDirectory, type There } from '../../shared/staff/follow-directory.ts';
import type { GroupRoles } from '../../shared/staff/group-roles.ts';
import type { LoopState } from '../loop.ts';
import { asking } from './connection.ts';
import type { LdapSettings } from './env.ts';
import { findBySubjects, groupsOf } from './people.ts';

const lookLimitMs = 5_000;
const limitMs = 300_000;
/** Questions on one connection that wait for their answers. */
const atOnce = 10;

export interface SynchroniseOptions {
  db: Database;
  ldap: LdapSettings;
  groupRoles: GroupRoles;
  everyMs: number;
  mostLeave: number;
  log: Log;
}

export function synchronising({ db, ldap, groupRoles, everyMs, mostLeave, log }: SynchroniseOptions) {
  let doneAt = Number.NEGATIVE_INFINITY;
  let people: number | null = null;
  let deactivated = 0;
  let heldBack = 0;

  const step = async (): Promise<number> => {
    if (performance.now() - doneAt < everyMs) {
      await asking(ldap, lookLimitMs, async () => {});
      return 0;
    }
    const look = (subjects: readonly string[]) =>
      asking(ldap, limitMs, (client) => lookUp(client, ldap, subjects));
    const done = await followDirectory(db, { issuer: ldap.issuer, groupRoles, mostLeave, look });
    doneAt = performance.now();
    heldBack = done.ok ? 0 : done.refusal.leaving;
    if (!done.ok) {
      log.error('too_many_leave', { leaving: heldBack });
      return 0;
    }
    const { followed } = done.value;
    const counts = { deactivated: 0, reactivated: 0, changed: 0 };
    for (const { outcome } of followed) counts[outcome] += 1;
    people = done.value.people;
    deactivated += counts.deactivated;
    // Who, is in the audit trail.
    if (followed.length > 0) log.info('people_followed', counts);
    return followed.length;
  };

  const heartbeat = ({ condition, failures }: LoopState) => ({
    healthy: heldBack === 0 && (condition === 'running' || condition === 'draining'),
    detail: {
      condition,
      failures,
      people,
      deactivated_total: deactivated,
      held_back: heldBack,
      synchronised_seconds: Number.isFinite(doneAt) ? Math.round((performance.now() - doneAt) / 1_000) : null,
    },
  });

  return { step, heartbeat };
}

async function lookUp(client: Client, ldap: LdapSettings, subjects: readonly string[]): Promise<There[]> {
  const found = (await findBySubjects(client, ldap, subjects)).filter(({ disabled }) => !disabled);
  const there: There[] = [];
  for (let from = 0; from < found.length; from += atOnce) {
    const some = found.slice(from, from + atOnce);
    const groups = await Promise.all(some.map(({ dn }) => groupsOf(client, ldap, dn)));
    there.push(
      ...some.map(({ subject, name, email }, at) => ({ subject, name, email, groups: groups[at] ?? [] })),
    );
  }
  return there;
}
