// The second factor of a person, as this slice knows it: an encrypted secret, whether it counts yet, and the last step
// whose code was used. Codes themselves are the room's to reckon.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Caller, Person } from './caller.ts';
import { findTotp, removeTotp, saveTotp } from './password-store.ts';
import { readRoles } from './role-store.ts';
import {
  type Credentials,
  confirmCredentials,
  type From,
  type SignInRefusal,
  type SignInTools,
} from './sign-in.ts';
import { mayManage, mayReset, type UserRefusal } from './user.ts';
import { findUserNamed } from './user-store.ts';

export { confirmTotp } from './password-store.ts';

/** Keeps a secret that does not count yet, for somebody who has given their password again. */
export async function enrolTotp(
  tools: SignInTools,
  db: Database,
  enrolment: { person: Person; password: string; from: From; sealed: string },
): Promise<Result<undefined, SignInRefusal | 'enrolled'>> {
  const { person, password, from, sealed } = enrolment;
  const credentials = { username: person.username, password, code: undefined };
  const shown = await confirmCredentials(tools, credentials, from, false);
  if (!shown.ok) return shown;
  return (await saveTotp(db, person.id, sealed)) ? ok(undefined) : refused('enrolled');
}

/** The encrypted secret that waits for its first code. */
export async function pendingTotp(db: Database, userId: string): Promise<string | undefined> {
  const found = await findTotp(db, userId);
  return found && !found.confirmed ? found.secret : undefined;
}

export async function removeOwnTotp(
  tools: SignInTools,
  db: Database,
  credentials: Credentials,
  from: From,
): Promise<Result<undefined, SignInRefusal | 'none'>> {
  const shown = await confirmCredentials(tools, credentials, from, true);
  if (!shown.ok) return shown;
  const { username, totpStep } = shown.value;
  if (totpStep === null) return refused('none');
  const removed = await removeTotp(db, { username }, totpStep);
  return removed ? ok(undefined) : refused({ reason: 'failed' });
}

/**
 * Somebody else's, who has lost it. One's own is not removed like this, because a stolen session would be enough; nor
 * that of somebody who may do more. Refused with nothing when there is none, or they were changed meanwhile.
 */
export async function removeTotpOf(
  db: Database,
  caller: Caller,
  username: string,
): Promise<Result<void, UserRefusal | undefined>> {
  const [user, roles] = await Promise.all([findUserNamed(db, username), readRoles(db)]);
  if (!user || !mayManage(caller, user)) return refused(undefined);
  const allowed = mayReset(caller, user, roles);
  if (!allowed.ok) return allowed;
  const removed = await removeTotp(db, { username, version: user.version }, undefined);
  return removed ? ok(undefined) : refused(undefined);
}
