// A session for somebody whom a provider or a directory vouches for. They are made known when they first come, have the
// roles that their groups are worth now, and are kept out when that is none; the outcome is in the audit trail.

import type { Database } from '../database.ts';
import { sha256 } from '../id.ts';
import { ok, type Result, refused } from '../result.ts';
import type { SessionOf } from './attempt.ts';
import { type GroupRoles, rolesOfGroups } from './group-roles.ts';
import type { Identity, IdentityRefusal } from './identity.ts';
import { openFrom } from './identity-store.ts';
import { sessionSecret } from './open-session.ts';
import { asUsername, newRefreshToken, type SignedIn } from './sign-in.ts';

const nameLimit = 200;
const emailLimit = 320;
const inOneLine = (text: string) => text.replace(/[\p{Cc}\p{Cs}]+/gu, ' ').trim();
/** Without half a character at its end. */
const shortened = (text: string) => [...text].slice(0, nameLimit).join('').trim();

/** One round trip. `db` knows that `anonymous` asks; who it turns out to be is written down with what they did. */
export async function signInFrom(
  db: Database,
  { groups, ...identity }: Identity,
  {
    groupRoles,
    session,
    newDeviceHash,
    replaced,
  }: {
    groupRoles: GroupRoles;
    session: SessionOf;
    /** To be remembered as theirs, as SHA-256 in hex. */
    newDeviceHash: string | null;
    /** The secret of the session that the browser had; it ends. */
    replaced: string | undefined;
  },
): Promise<Result<SignedIn, IdentityRefusal>> {
  const isBrowser = session.kind === 'browser';
  const secret = isBrowser ? sessionSecret() : newRefreshToken();
  const secretHash = await sha256(secret);
  const username = shortened(asUsername(inOneLine(identity.username)));
  const email = identity.email === null ? '' : inOneLine(identity.email);
  const opened = await openFrom(
    db,
    {
      ...identity,
      username,
      name: shortened(inOneLine(identity.name)) || username || 'unknown',
      email: email !== '' && email.length <= emailLimit ? email : null,
      ...rolesOfGroups(groupRoles, groups),
    },
    {
      ...session,
      secretHash: isBrowser ? secretHash : null,
      refreshHash: isBrowser ? null : secretHash,
      replacedHash: replaced === undefined ? null : await sha256(replaced),
      deviceHash: newDeviceHash,
    },
  );
  if (opened.outcome !== 'opened') return refused(opened.outcome);
  return ok({ username: opened.username, secret, sessionId: opened.sessionId, ended: opened.ended });
}
