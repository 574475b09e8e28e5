-- Staff: people, what they may do, how they sign in; and the audit trail, which is only ever added to.

-- Audit --------------------------------------------------------------------------------------------------------
create schema audit;
grant usage on schema audit to recoup_api, recoup_auth;

-- Who did what to whom, when, from where. A change's entry is written in the change's own transaction.
create table audit.entries (
  id bigint generated always as identity primary key,
  transaction_id xid8 not null default pg_current_xact_id(),
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  -- `user.changed`, `sign_in.failed`: what it is about, and what happened to it.
  action text not null check (action ~ '^[a-z_]+\.[a-z_]+$'),
  subject_kind text,
  subject_id text,
  -- Of a change, the columns that changed; what must not be read here is masked.
  before jsonb,
  after jsonb,
  details jsonb,
  address text,
  request_id text,
  session_id uuid
);
create index entries_by_actor on audit.entries (actor, id);
create index entries_by_action on audit.entries (action, id);
create index entries_by_subject on audit.entries (subject_kind, subject_id, id);
create index entries_by_time on audit.entries (at, id);
grant select on audit.entries to recoup_api, recoup_auth;
-- Neither number nor time of an entry can be chosen.
grant insert (actor, action, subject_kind, subject_id, before, after, details, address, request_id, session_id)
  on audit.entries to recoup_api, recoup_auth;

create function audit.refuse_change() returns trigger
language plpgsql as $$
begin
  raise exception 'the audit trail is only ever added to' using errcode = 'insufficient_privilege';
end $$;
create trigger only_added_to before update or delete or truncate on audit.entries
  for each statement execute function audit.refuse_change();

-- Who asks for what this transaction does; the statement before it says so.
create function audit.asker() returns jsonb
language sql stable as $$ select coalesce(nullif(current_setting('recoup.asker', true), ''), '{}')::jsonb $$;

create function audit.add(new_action text, kind text, subject text, new_before jsonb, new_after jsonb, new_details jsonb)
returns void
language plpgsql security definer set search_path = audit, pg_temp as $$
declare
  asker jsonb := audit.asker();
begin
  insert into entries (actor, action, subject_kind, subject_id, before, after, details, address, request_id, session_id)
  values (coalesce(asker ->> 'actor', 'service:' || replace(session_user, 'recoup_', '')), new_action, kind, subject,
          new_before, new_after, new_details, asker ->> 'address', asker ->> 'requestId', (asker ->> 'sessionId')::uuid);
end $$;
grant execute on function audit.add to recoup_api, recoup_auth;

-- Writes down what a statement did to a row. Arguments: what the row is; the column that names it; columns whose values
-- are masked, and columns that are left out, both separated by commas.
create function audit.note_change() returns trigger
language plpgsql security definer set search_path = audit, pg_temp as $$
declare
  kind text := tg_argv[0];
  masked text[] := string_to_array(coalesce(tg_argv[2], ''), ',');
  left_out text[] := string_to_array(coalesce(tg_argv[3], ''), ',') || array['version', 'changed_at'];
  old_row jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) else '{}' end;
  new_row jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) else '{}' end;
  old_values jsonb;
  new_values jsonb;
begin
  select jsonb_object_agg(k, case when k = any (masked) then '"***"' else old_row -> k end) filter (where old_row ? k),
         jsonb_object_agg(k, case when k = any (masked) then '"***"' else new_row -> k end) filter (where new_row ? k)
    into old_values, new_values
    from jsonb_object_keys(old_row || new_row) k
    where k <> all (left_out) and old_row -> k is distinct from new_row -> k
      -- Of a row that comes or goes, only what is there.
      and (tg_op = 'UPDATE' or coalesce(old_row -> k, new_row -> k) <> 'null');
  if old_values is not null or new_values is not null then
    perform audit.add(kind || case tg_op when 'INSERT' then '.created' when 'UPDATE' then '.changed' else '.removed' end,
                      kind, (old_row || new_row) ->> tg_argv[1], old_values, new_values, null);
  end if;
  return null;
end $$;

-- People -------------------------------------------------------------------------------------------------------
create function staff.next_version() returns trigger
language plpgsql as $$
begin
  new.version := old.version + 1;
  new.changed_at := now();
  return new;
end $$;

-- A name is given once and for ever: the audit trail and every row that says who did it know people by it.
create table staff.users (
  id uuid primary key default gen_random_uuid(),
  username text not null unique check (username ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),
  display_name text not null check (length(display_name) between 1 and 200),
  email text check (length(email) <= 320),
  team text check (length(team) between 1 and 100),
  -- Who knows whether it is them: we by their password, or a provider under its own name for them.
  source text not null default 'password' check (source in ('password', 'oidc', 'ldap')),
  external_id text,
  status text not null default 'active' check (status in ('active', 'deactivated')),
  version int not null default 1,
  created_at timestamptz not null default now(),
  created_by text not null,
  changed_at timestamptz not null default now(),
  unique (source, external_id),
  check ((source = 'password') = (external_id is null))
);
create trigger next_version before update on staff.users for each row execute function staff.next_version();
create trigger note_change after insert or update or delete on staff.users
  for each row execute function audit.note_change('user', 'username', '', 'created_at,created_by');

create table staff.passwords (
  user_id uuid primary key references staff.users,
  hash text not null,
  -- Somebody else knows it: it opens nothing but the way to a new one.
  must_change boolean not null default false,
  changed_at timestamptz not null default now()
);

-- Roles beside those in the code (shared/staff/permissions.ts).
create table staff.roles (
  name text primary key check (name ~ '^[a-z][a-z0-9-]{0,63}$'),
  description text not null,
  version int not null default 1,
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now()
);
create trigger next_version before update on staff.roles for each row execute function staff.next_version();
create trigger note_change after insert or update or delete on staff.roles
  for each row execute function audit.note_change('role', 'name', '', 'created_at');

create table staff.role_permissions (
  role text not null references staff.roles,
  permission text not null,
  reach text not null check (reach in ('all', 'team', 'own')),
  primary key (role, permission)
);
create trigger note_change after insert or update or delete on staff.role_permissions
  for each row execute function audit.note_change('role_permission', 'role');

-- `directory`: it follows from a group there, and goes when the group goes.
create table staff.user_roles (
  user_id uuid not null references staff.users,
  role text not null,
  source text not null default 'assigned' check (source in ('assigned', 'directory')),
  username text not null,
  primary key (user_id, role)
);
create trigger note_change after insert or update or delete on staff.user_roles
  for each row execute function audit.note_change('user_role', 'username', '', 'user_id,username');

-- Sessions -----------------------------------------------------------------------------------------------------
-- Of a person with a browser (its cookie's SHA-256) or a client (refresh tokens). The only truth about it: what is
-- ended here has ended.
create table staff.sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references staff.users,
  kind text not null check (kind in ('browser', 'client')),
  secret_hash bytea unique,
  method text not null check (method in ('password', 'oidc', 'ldap')),
  device text not null,
  address text,
  created_at timestamptz not null default now(),
  last_used_at timestamptz not null default now(),
  -- It ends when it has not been used for so long, and in any case then.
  idle_limit interval not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  ended_by text,
  ended_because text,
  check ((kind = 'browser') = (secret_hash is not null))
);
create index live_sessions on staff.sessions (user_id, created_at) where ended_at is null;

create table staff.refresh_tokens (
  hash bytea primary key,
  session_id uuid not null references staff.sessions,
  issued_at timestamptz not null default now(),
  used_at timestamptz
);
create index refresh_tokens_by_session on staff.refresh_tokens (session_id);

-- The live session with this cookie or this id, and who it makes the caller.
create function staff.find_session(given_hash bytea, given_id uuid)
returns table (session_id uuid, user_id uuid, username text, display_name text, email text, team text, source text,
               kind text, must_change boolean, roles text[], grants jsonb, last_used_at timestamptz)
language sql stable security definer set search_path = staff, pg_temp as $$
  select s.id, u.id, u.username, u.display_name, u.email, u.team, u.source, s.kind,
    s.method = 'password' and coalesce(p.must_change, false),
    array(select r.role from user_roles r where r.user_id = u.id order by r.role),
    (select coalesce(jsonb_agg(jsonb_build_array(g.permission, g.reach)), '[]')
     from user_roles r join role_permissions g using (role) where r.user_id = u.id),
    s.last_used_at
  from sessions s join users u on u.id = s.user_id left join passwords p on p.user_id = u.id
  where (s.secret_hash = given_hash or s.id = given_id) and s.ended_at is null and s.expires_at > now()
    and s.last_used_at + s.idle_limit > now() and u.status = 'active'
$$;
grant execute on function staff.find_session to recoup_api, recoup_auth;

-- Called after answers, so that a session in use is not idle. Once a minute is enough.
create function staff.touch_session(given_id uuid) returns void
language sql security definer set search_path = staff, pg_temp as $$
  update sessions set last_used_at = now()
  where id = given_id and ended_at is null and last_used_at < now() - interval '1 minute'
$$;
grant execute on function staff.touch_session to recoup_api, recoup_auth;

-- Keys of services ---------------------------------------------------------------------------------------------
alter table staff.api_keys add column last_used_at timestamptz, add column replaces uuid references staff.api_keys;
create trigger note_change after insert or update or delete on staff.api_keys
  for each row execute function audit.note_change('api_key', 'prefix', '', 'id,hash,created_at,last_used_at');

create function staff.touch_key(given_prefix text) returns void
language sql security definer set search_path = staff, pg_temp as $$
  update api_keys set last_used_at = now()
  where prefix = given_prefix and (last_used_at is null or last_used_at < now() - interval '1 minute')
$$;
grant execute on function staff.touch_key to recoup_api, recoup_auth;

grant select, insert, update on staff.users, staff.passwords, staff.roles, staff.sessions, staff.refresh_tokens to recoup_auth;
grant select, insert, update, delete on staff.role_permissions, staff.user_roles to recoup_auth;
grant delete on staff.roles to recoup_auth;
grant insert, update (name, expires_at, revoked_at, revoked_by) on staff.api_keys to recoup_auth;
grant select on staff.users, staff.roles, staff.role_permissions, staff.user_roles to recoup_api;

-- What people ask for elsewhere -----------------------------------------------------------------------------------
create trigger note_request after insert on operations.job_runs
  for each row when (new.status = 'requested') execute function audit.note_change('job_run', 'job', '', 'requested_at');

-- Only for those named above.
revoke all on all functions in schema audit, staff from public;
