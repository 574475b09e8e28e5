// A session for somebody whom a directory has just vouched for, and whose code was right where there is a second factor.

import type { Database } from '../database.ts';
import type { AttemptKeys } from './attempt.ts';
import type { Directory } from './directory.ts';
import { takeTotpStep } from './identity-store.ts';
import { signInFrom } from './sign-in-from.ts';
import { noteFailure, takeAttemptBack } from './sign-in-store.ts';
import type { SignedIn, Wanted } from './signed-in.ts';
import type { Vouched } from './vouch.ts';

/** Undefined for who has no role here or was deactivated; they are told no more than others, the audit trail is. */
export async function signInByDirectory(
  { ask, directory }: { ask: (actor: string) => Database; directory: Directory | undefined },
  shown: Extract<Vouched, { by: 'directory' }> & {
    totpStep: number | null;
    knownDevice: boolean;
    keys: AttemptKeys;
  },
  { session, newDeviceHash, replaced }: Wanted,
): Promise<SignedIn | undefined> {
  const { userId, username, identity, totpStep, knownDevice, keys } = shown;
  const db = ask('anonymous');
  if (userId !== null && totpStep !== null && !(await takeTotpStep(db, userId, totpStep))) {
    await noteFailure(db, username, { because: 'changed_meanwhile' });
    return undefined;
  }
  const groupRoles = directory?.groupRoles ?? new Map();
  const opened = await signInFrom(db, identity, { groupRoles, session, newDeviceHash, replaced });
  if (!opened.ok) return undefined;
  await takeAttemptBack(ask(`user:${opened.value.username}`), { knownDevice, succeeded: true, keys });
  return opened.value;
}
