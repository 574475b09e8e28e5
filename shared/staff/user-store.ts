// The SQL of managing people.

import type { Database } from '../database.ts';
import type { Circle } from './reach.ts';
import type { User } from './user.ts';

export interface UserFilter {
  role?: string | undefined;
  status?: User['status'] | undefined;
  team?: string | undefined;
  /** Part of a name or an e-mail address. */
  q?: string | undefined;
}

const columns = `
  person.id, person.username, person.display_name as "displayName", person.email, person.team, person.status,
  person.source, person.external_id as "externalId", person.version, person.created_at as "createdAt",
  person.created_by as "createdBy", person.changed_at as "changedAt",
  coalesce((select must_change from staff.passwords where user_id = person.id), false) as "mustChangePassword",
  (select coalesce(jsonb_agg(jsonb_build_object('name', role, 'source', source) order by role), '[]')
   from staff.user_roles where user_id = person.id) as roles`;

export async function findUser(db: Database, id: string): Promise<User | undefined> {
  const [row] = await db.query<User>(`select ${columns} from staff.users person where id = $1`, [id]);
  return row;
}

export async function findUserNamed(db: Database, username: string): Promise<User | undefined> {
  const [row] = await db.query<User>(`select ${columns} from staff.users person where username = $1`, [
    username,
  ]);
  return row;
}

/** By user name, from behind the one that the last page ended with. */
export const findUsers = (
  db: Database,
  circle: Circle,
  filter: UserFilter,
  after: string | undefined,
  limit: number,
): Promise<User[]> =>
  db.query<User>(
    `select ${columns} from staff.users person
     where ($1::text is null or username > $1)
       and ($2::text is null or exists (select from staff.user_roles where user_id = person.id and role = $2))
       and ($3::text is null or status = $3) and ($4::text is null or team = $4)
       and ($5::text is null or position(lower($5) in username) > 0
         or position(lower($5) in lower(display_name)) > 0 or position(lower($5) in lower(email)) > 0)
       and ($6::boolean or team = $7 or id = $8::uuid)
     order by username limit $9`,
    [
      ...[after ?? null, filter.role ?? null, filter.status ?? null, filter.team ?? null, filter.q ?? null],
      ...(circle === 'everybody' ? [true, null, null] : [false, circle.team, circle.userId]),
      limit,
    ],
  );

export interface SavedChange {
  outcome: 'changed' | 'stale' | 'unknown_role' | 'last_admin';
  version: number;
  changedAt: Date;
}

/** Saves what a person is to be, if they are still of this version. */
export async function saveUserChange(
  db: Database,
  user: Pick<User, 'id' | 'version' | 'displayName' | 'email' | 'team' | 'status'>,
  /** All they are assigned by hand; undefined leaves them. */
  roles: { assigned: readonly string[]; keptHere: readonly string[] } | undefined,
): Promise<SavedChange> {
  const [row] = await db.query<SavedChange>(
    `select outcome, new_version as version, new_changed_at as "changedAt"
     from staff.change_user($1, $2, $3, $4, $5, $6, $7::text[], $8::text[])`,
    [
      ...[user.id, user.version, user.displayName, user.email, user.team, user.status],
      ...(roles ? [roles.assigned, roles.keptHere] : [null, []]),
    ],
  );
  return row as SavedChange;
}

/** Gives a person of this version a password that somebody else knows, and ends their sessions. False: another version. */
export async function saveFirstPassword(
  db: Database,
  user: Pick<User, 'id' | 'version'>,
  hash: string,
): Promise<boolean> {
  const [row] = await db.query<{ given: boolean }>('select staff.give_password($1, $2, $3) as given', [
    user.id,
    user.version,
    hash,
  ]);
  return row?.given === true;
}

/** How many people can administer. */
export async function countAdmins(db: Database): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    `select count(*)::int as count from staff.users join staff.user_roles on user_id = id
     where role = 'admin' and status = 'active'`,
  );
  return row?.count ?? 0;
}
