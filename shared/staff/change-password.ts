// Somebody sets a new password, who shows that they know the old one. It ends all their other sessions and forgets
// every other device of theirs: whoever else knew the old one is out.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Person } from './caller.ts';
import { hashPassword } from './password-hash.ts';
import { type PasswordFault, refusedPassword } from './password-policy.ts';
import { savePassword } from './password-store.ts';
import { confirmCredentials, type From, type SignInRefusal, type SignInTools } from './sign-in.ts';

export type ChangeRefusal = SignInRefusal | { reason: 'unfit'; fault: PasswordFault | 'unchanged' };

/** Answers the sessions that it ended. */
export async function changePassword(
  tools: SignInTools,
  db: Database,
  person: Person,
  change: { current: string; next: string; minimum: number },
  from: From,
): Promise<Result<string[], ChangeRefusal>> {
  const { username } = person;
  const credentials = { username, password: change.current, code: undefined };
  const shown = await confirmCredentials(tools, credentials, from, false);
  if (!shown.ok) return shown;
  if (shown.value.by !== 'password') return refused({ reason: 'failed' });
  const { minimum } = change;
  const fault =
    change.next === change.current
      ? 'unchanged'
      : await refusedPassword(db, change.next, { username, minimum });
  if (fault !== undefined) return refused({ reason: 'unfit', fault });
  const ended = await savePassword(db, {
    userId: person.id,
    verified: shown.value.verified,
    hash: await hashPassword(tools.scrypt, change.next),
    keptSession: person.session.id,
    keptDevice: from.deviceHash,
  });
  return ended === undefined ? refused({ reason: 'failed' }) : ok(ended);
}
