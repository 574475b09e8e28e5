// A session for somebody whom a provider or a directory vouches for. They are made known when they first come, have the
// roles that their groups are worth now, and are kept out when that is none; the outcome is in the audit trail.

import type { Database } from '../database.ts';
import { sha256 } from '../id.ts';
import { ok, type Result, refused } from '../result.ts';
import { type GroupRoles, rolesOfGroups } from './group-roles.ts';
import { type Identity, type IdentityRefusal, keptEmail, keptName } from './identity.ts';
import { openFrom } from './identity-store.ts';
import { sessionSecret } from './open-session.ts';
import { asUsername, newRefreshToken, type SignedIn, type Wanted } from './signed-in.ts';

/** One round trip. `db` knows that `anonymous` asks; who it turns out to be is written down with what they did. */
export async function signInFrom(
  db: Database,
  { groups, ...identity }: Identity,
  { groupRoles, session, newDeviceHash, replaced }: Wanted & { groupRoles: GroupRoles },
): Promise<Result<SignedIn, IdentityRefusal>> {
  const isBrowser = session.kind === 'browser';
  const secret = isBrowser ? sessionSecret() : newRefreshToken();
  const secretHash = await sha256(secret);
  const username = asUsername(keptName(identity.username));
  const opened = await openFrom(
    db,
    {
      ...identity,
      username,
      name: keptName(identity.name) || username || 'unknown',
      email: keptEmail(identity.email),
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
