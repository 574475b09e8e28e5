// Creates an API key. The token is in the answer and nowhere else.

import type { Database } from '../database.ts';
import { generateApiKey } from './api-key.ts';
import type { Permission } from './permissions.ts';
import { saveApiKey } from './store.ts';

export async function createApiKey(
  db: Database,
  key: { name: string; scopes: readonly Permission[]; expiresAt: Date | null; actor: string },
): Promise<{ token: string; prefix: string }> {
  const { token, prefix, hash } = await generateApiKey();
  await saveApiKey(db, { ...key, prefix, hash });
  return { token, prefix };
}
