// Who is behind a presented key. A malformed, unknown, expired and revoked key are all nobody.

import type { Database } from '../database.ts';
import { apiKeyHash } from './api-key.ts';
import type { Service } from './caller.ts';
import { findApiKey } from './store.ts';

export async function authenticateKey(db: Database, token: string | undefined): Promise<Service | undefined> {
  const hash = token && (await apiKeyHash(token));
  return hash ? findApiKey(db, { hash }) : undefined;
}

/** By the part of it that is no secret: for those who have proved otherwise that they hold it. */
export const keyByPrefix = (db: Database, prefix: string): Promise<Service | undefined> =>
  findApiKey(db, { prefix });
