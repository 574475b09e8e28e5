// Makes somebody known, with the roles they begin with. Who may give them is the caller's to know.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import type { NewUser } from './new-user.ts';
import { saveUser } from './store.ts';

export async function createUser(
  db: Database,
  user: NewUser,
): Promise<Result<{ id: string }, 'username_taken' | 'unknown_role'>> {
  const saved = await saveUser(db, user);
  return typeof saved === 'string' ? refused(saved) : ok(saved);
}
