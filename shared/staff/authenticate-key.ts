// Who is behind a presented key. A malformed, unknown, expired and revoked key are all nobody.

import type { Database } from '../database.ts';
import { type ApiKey, apiKeyHash } from './api-key.ts';
import { findApiKey } from './store.ts';

export async function authenticateKey(db: Database, token: string | undefined): Promise<ApiKey | undefined> {
  const hash = token && (await apiKeyHash(token));
  return hash ? findApiKey(db, hash) : undefined;
}
