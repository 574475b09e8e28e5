// Makes somebody known, with the roles they begin with. Whether a role exists is the caller's to know.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Person } from './caller.ts';
import { saveUser } from './store.ts';

export interface NewUser {
  /** Lower case; for ever. */
  username: string;
  displayName: string;
  email: string | null;
  team: string | null;
  roles: readonly string[];
  actor: string;
  /** Who vouches for them: we by a password, or a provider under its own name for them. */
  by:
    | { source: 'password'; hash: string; mustChange: boolean }
    | { source: Exclude<Person['source'], 'password'>; externalId: string };
}

export async function createUser(
  db: Database,
  user: NewUser,
): Promise<Result<{ id: string }, 'username_taken'>> {
  const id = await saveUser(db, user);
  return id === undefined ? refused('username_taken') : ok({ id });
}
