// Whom a session makes the caller: by the browser's cookie, or by the id in an access token. An ended, expired or idle
// session is nobody's, and so is that of somebody who has been deactivated.

import type { Database } from '../database.ts';
import { sha256 } from '../id.ts';
import type { Person } from './caller.ts';
import { findSession } from './store.ts';

export const sessionBySecret = async (db: Database, secret: string): Promise<Person | undefined> =>
  findSession(db, { hash: await sha256(secret) });

export const sessionById = (db: Database, id: string): Promise<Person | undefined> => findSession(db, { id });
