// The SQL of signing in from outside.

import type { Database } from '../database.ts';
import type { SessionOf } from './attempt.ts';
import type { Identity, IdentityRefusal } from './identity.ts';

export async function openFrom(
  db: Database,
  identity: Omit<Identity, 'groups'> & { roles: readonly string[]; keptHere: readonly string[] },
  // SHA-256, hex.
  session: SessionOf & {
    secretHash: string | null;
    refreshHash: string | null;
    replacedHash: string | null;
    deviceHash: string | null;
  },
): Promise<
  { outcome: 'opened'; username: string; sessionId: string; ended: string[] } | { outcome: IdentityRefusal }
> {
  const { secretHash, refreshHash, replacedHash, deviceHash, ...opened } = session;
  const [row] = await db.query<{
    outcome: 'opened';
    username: string;
    sessionId: string;
    ended: string[];
  }>(
    `select outcome, username, session_id as "sessionId", ended
     from staff.sign_in_from($1, $2, $3, $4, $5, $6, $7::text[], $8::text[], $9::jsonb,
                             decode($10, 'hex'), decode($11, 'hex'), decode($12, 'hex'), decode($13, 'hex'))`,
    [
      ...[
        identity.source,
        identity.issuer,
        identity.subject,
        identity.username,
        identity.name,
        identity.email,
      ],
      ...[identity.roles, identity.keptHere, JSON.stringify(opened)],
      ...[secretHash, refreshHash, replacedHash, deviceHash],
    ],
  );
  if (!row) throw new Error('staff.sign_in_from answered nothing');
  return row;
}
