// The SQL of people for whom others vouch.

import type { Database } from '../database.ts';
import type { Attempted, SessionOf } from './attempt.ts';
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

/** Whom an issuer has vouched for before under this name of its own. */
export async function findIdentified(
  db: Database,
  { issuer, subject }: Pick<Identity, 'issuer' | 'subject'>,
): Promise<{ userId: string; username: string; totp: Attempted['totp'] } | undefined> {
  const [row] = await db.query<{
    user_id: string;
    username: string;
    totp_secret: string | null;
    totp_last_step: string | null;
  }>('select * from staff.find_identified($1, $2)', [issuer, subject]);
  if (!row) return undefined;
  const { totp_secret: secret, totp_last_step: lastStep } = row;
  const totp = secret === null ? undefined : { secret, lastStep: Number(lastStep) };
  return { userId: row.user_id, username: row.username, totp };
}

/** Uses up the step of a code. False when somebody was faster. */
export async function takeTotpStep(db: Database, userId: string, step: number): Promise<boolean> {
  const rows = await db.query(
    'update staff.totp set last_step = $2 where user_id = $1 and last_step < $2 returning user_id',
    [userId, step],
  );
  return rows.length > 0;
}

/** Subjects of an issuer's people whom it has to say something about, and whether they may come in now. */
export const directoryPeople = (
  db: Database,
  issuer: string,
): Promise<{ subject: string; status: 'active' | 'deactivated' }[]> =>
  db.query('select subject, status from staff.directory_people($1)', [issuer]);

export interface Followed {
  username: string;
  outcome: 'deactivated' | 'reactivated' | 'changed';
}

/** Those who changed. */
export const saveAsThere = (
  db: Database,
  issuer: string,
  people: readonly (
    | { subject: string; there: false }
    | {
        subject: string;
        there: true;
        /** Null leaves what there is. */
        name: string | null;
        email: string | null;
        roles: readonly string[];
        keptHere: readonly string[];
      }
  )[],
): Promise<Followed[]> =>
  db.query('select username, outcome from staff.follow_directory($1, $2::jsonb)', [
    issuer,
    JSON.stringify(people),
  ]);
