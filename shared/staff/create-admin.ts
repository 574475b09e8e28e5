// The administrator who is there before anybody can make one: refused while somebody can administer, unless another one
// is asked for.

import type { Database } from '../database.ts';
import { type Result, refused } from '../result.ts';
import { createUser } from './create-user.ts';
import { countAdmins } from './user-store.ts';

export async function createAdmin(
  db: Database,
  admin: {
    username: string;
    displayName: string;
    email: string | null;
    /** Of a first password, which they have to change. */
    hash: string;
    /** Although there is one. */
    another: boolean;
    actor: string;
  },
): Promise<Result<{ id: string }, 'admin_exists' | 'username_taken' | 'unknown_role'>> {
  if (!admin.another && (await countAdmins(db)) > 0) return refused('admin_exists');
  const by = { source: 'password' as const, hash: admin.hash, mustChange: true };
  return createUser(db, { ...admin, team: null, roles: ['admin'], by });
}
