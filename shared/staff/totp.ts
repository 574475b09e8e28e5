// The second factor of a person, as this slice knows it: an encrypted secret, whether it counts yet, and the last step
// whose code was used. Codes themselves are the room's to reckon.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Caller, Person } from './caller.ts';
import { findTotp, removeTotp, saveTotp } from './password-store.ts';
import {
  type Credentials,
  confirmCredentials,
  type From,
  type SignInRefusal,
  type SignInTools,
} from './sign-in.ts';

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

/** Somebody else's, as far as the caller's permission to manage people reaches. False when there is none there. */
export async function removeTotpOf(db: Database, caller: Caller, username: string): Promise<boolean> {
  const reach = caller.grants.get('users:manage');
  if (reach === 'all') return removeTotp(db, { username }, undefined);
  const team = caller.kind === 'user' ? caller.team : null;
  return reach === 'team' && team !== null && removeTotp(db, { username, team }, undefined);
}
