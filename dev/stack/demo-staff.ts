// People to sign in as on the first start: an administrator, and with demo data one person of each other role. Only where
// there is nobody yet; their passwords are random and stay in this installation's secrets.

import { randomBytes } from 'node:crypto';
import { openPool } from '../../containers/database.ts';
import { nativeScrypt } from '../../containers/edge/scrypt.ts';
import { askedBy } from '../../shared/audit/asker.ts';
import { createUser } from '../../shared/staff/create-user.ts';
import { hashPassword } from '../../shared/staff/password-hash.ts';
import { type BuiltInRole, builtInRoles } from '../../shared/staff/roles.ts';

const actor = 'job:start';
/** Programs are nobody who signs in; they have keys. */
const forPeople = (Object.keys(builtInRoles) as BuiltInRole[]).filter((role) => role !== 'service');

/** The people who were made here, by user name, with their passwords: those of `kept` where there is somebody already. */
export async function ensureStaff(
  databaseUrl: string,
  kept: Record<string, string>,
  demo: boolean,
): Promise<Record<string, string>> {
  const pool = openPool({
    url: databaseUrl,
    min: 0,
    max: 1,
    applicationName: 'recoup-start',
    timeoutMs: 10_000,
  });
  try {
    const [found] = await pool.query<{ known: string[] }>(
      'select array(select username from staff.users) as known',
    );
    const known = found?.known ?? [];
    if (known.length > 0) {
      return Object.fromEntries(Object.entries(kept).filter(([username]) => known.includes(username)));
    }
    const db = askedBy(pool, { actor });
    const staff: Record<string, string> = {};
    for (const role of demo ? forPeople : (['admin'] as const)) {
      const password = randomBytes(12).toString('base64url');
      const hash = await hashPassword(nativeScrypt, password);
      const made = await createUser(db, {
        username: role,
        displayName: `Demo ${role}`,
        email: `${role}@example.com`,
        team: role === 'agent' || role === 'supervisor' ? 'demo' : null,
        roles: [role],
        by: { source: 'password', hash, mustChange: false },
        actor,
      });
      if (!made.ok) throw new Error(`the demo ${role} could not be made: ${made.refusal}`);
      staff[role] = password;
    }
    return staff;
  } finally {
    await pool.close();
  }
}
