// People, as far as the caller may see them.

import type { Database } from '../database.ts';
import type { Caller } from './caller.ts';
import { circleOf, includes } from './reach.ts';
import type { User } from './user.ts';
import { findUser, findUsers, type UserFilter } from './user-store.ts';

/** By user name; `next` is where the following page begins. */
export async function readUsers(
  db: Database,
  {
    caller,
    filter,
    after,
    limit,
  }: { caller: Caller; filter: UserFilter; after?: string | undefined; limit: number },
): Promise<{ users: User[]; next: string | undefined }> {
  const circle = circleOf(caller, 'users:read');
  if (circle === undefined) return { users: [], next: undefined };
  const found = await findUsers(db, circle, filter, after, limit + 1);
  const users = found.slice(0, limit);
  return { users, next: found.length > limit ? users.at(-1)?.username : undefined };
}

export async function readUser(db: Database, caller: Caller, id: string): Promise<User | undefined> {
  const user = await findUser(db, id);
  return user && includes(circleOf(caller, 'users:read'), user) ? user : undefined;
}
