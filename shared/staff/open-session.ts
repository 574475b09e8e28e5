// Opens a session for somebody who has just shown who they are. A browser's has a secret, which is in the answer and
// nowhere else; it is new for every session, so that nobody can know it beforehand.

import type { Database } from '../database.ts';
import { sha256 } from '../id.ts';
import { base64Url } from './base64.ts';
import type { NewSession } from './new-session.ts';
import { saveSession } from './store.ts';

export const sessionSecret = (): string => base64Url(crypto.getRandomValues(new Uint8Array(32)));

export async function openSession(
  db: Database,
  session: NewSession,
): Promise<{ id: string; secret: string | undefined }> {
  const secret = session.kind === 'browser' ? sessionSecret() : undefined;
  const id = await saveSession(db, { ...session, hash: secret === undefined ? null : await sha256(secret) });
  return { id, secret };
}
