-- The directory (LDAP): its container keeps people here as they are there. It makes nobody known; that is sign_in_from's
-- to do, when they first come.
do $$
begin
  create role recoup_directory nologin;
exception when duplicate_object or unique_violation then null;
end $$;
grant usage on schema staff, operations to recoup_directory;
grant select, insert, update, delete on operations.heartbeats to recoup_directory;

-- The directory has let them go: that they were deactivated is its doing, and ends when they are back. What an
-- administrator has done stays.
alter table staff.identities add column gone_at timestamptz;

-- Whom an issuer has vouched for before, with their second factor.
create function staff.find_identified(given_issuer text, given_subject text)
returns table (user_id uuid, username text, totp_secret text, totp_last_step bigint)
language sql stable security definer set search_path = staff, pg_temp as $$
  select u.id, u.username, t.secret, t.last_step
  from identities i join users u on u.id = i.user_id
  left join totp t on t.user_id = u.id and t.confirmed_at is not null
  where i.issuer = given_issuer and i.subject = given_subject
$$;

-- Those whom its directory has to say something about.
create function staff.directory_people(given_issuer text) returns table (subject text, status text)
language sql stable security definer set search_path = staff, pg_temp as $$
  select i.subject, u.status from identities i join users u on u.id = i.user_id
  where i.issuer = given_issuer and (u.status = 'active' or i.gone_at is not null)
$$;

-- Has people here be as their directory says that they are. Of each: `subject`, `there`, and of those who are there
-- `name`, `email`, `roles` and `keptHere`, as sign_in_from takes them.
--
--   there, with a role       -> name, e-mail and roles as given; active again, if it was the directory that let them go
--   there, without any role  -> deactivated, their sessions ended
--   not there, or disabled   -> deactivated, their sessions ended, their roles from groups gone
--
-- Answers those who changed, and how: deactivated, reactivated, changed.
create function staff.follow_directory(given_issuer text, people jsonb) returns table (username text, outcome text)
language plpgsql security definer set search_path = staff, pg_temp as $$
#variable_conflict use_column
declare
  entry record;
  person users;
  granted text[];
  is_in boolean;
  before text;
begin
  perform set_config('recoup.asker', (audit.asker() || '{"actor": "directory:ldap"}')::text, true);
  for entry in
    select * from jsonb_to_recordset(people)
      as p (subject text, there boolean, name text, email text, roles text[], "keptHere" text[])
    order by subject
  loop
    select u.* into person from identities i join users u on u.id = i.user_id
    where i.issuer = given_issuer and i.subject = entry.subject and (u.status = 'active' or i.gone_at is not null)
    for no key update of u, i;
    continue when not found;
    before := (select jsonb_agg(r.role order by r.role) from user_roles r where r.user_id = person.id)::text;

    granted := '{}';
    if entry.there then
      perform from roles r where r.name = any (entry."keptHere") for key share;
      granted := array(select g.role from unnest(entry.roles) g (role)
                       where g.role <> all (entry."keptHere") or exists (select from roles r where r.name = g.role));
    end if;
    delete from user_roles r where r.user_id = person.id and r.source = 'directory' and r.role <> all (granted);
    insert into user_roles (user_id, username, role, source)
    select person.id, person.username, g.role, 'directory' from unnest(granted) g (role) on conflict do nothing;

    is_in := entry.there and exists (select from user_roles r where r.user_id = person.id);
    update identities i set gone_at = case when is_in then null else coalesce(i.gone_at, now()) end
    where i.issuer = given_issuer and i.subject = entry.subject and (i.gone_at is null) <> is_in;
    update users u
    set status = case when is_in then 'active' else 'deactivated' end,
        display_name = coalesce(entry.name, u.display_name), email = coalesce(entry.email, u.email)
    where u.id = person.id
      and (u.status, u.display_name, u.email) is distinct from
          (case when is_in then 'active' else 'deactivated' end,
           coalesce(entry.name, u.display_name), coalesce(entry.email, u.email));
    if not is_in then
      perform end_sessions(array(select s.id from sessions s where s.user_id = person.id and s.ended_at is null),
                           'directory');
    end if;

    username := person.username;
    outcome := case
      when is_in and person.status <> 'active' then 'reactivated'
      when not is_in and person.status = 'active' then 'deactivated'
      when exists (select from users u where u.id = person.id and u.version <> person.version)
        or before is distinct from
           (select jsonb_agg(r.role order by r.role) from user_roles r where r.user_id = person.id)::text then 'changed'
    end;
    if outcome is not null then return next; end if;
  end loop;
end $$;

-- Every role that may call one of the functions has been named.
revoke all on all functions in schema staff from public;
grant execute on function staff.find_identified to recoup_auth;
grant execute on function staff.directory_people, staff.follow_directory to recoup_directory;
