-- Managing people, roles and keys: the rules that need a lock, each in one call.

create index user_roles_by_role on staff.user_roles (role);
-- A key has one successor at most: whoever rotates it a second time gets to know the first.
create unique index api_keys_replaced on staff.api_keys (replaces);

-- Changes a person as a whole, from the version that was looked at. `new_roles` are those assigned by hand, or null to
-- leave them; `kept_here` are those of them that live in staff.roles and have to be there still. Ends their sessions when
-- they are deactivated.
create function staff.change_user(
  given_id uuid, from_version int, new_display_name text, new_email text, new_team text, new_status text,
  new_roles text[], kept_here text[],
  out outcome text, out new_version int, out new_changed_at timestamptz)
language plpgsql set search_path = staff, pg_temp as $$
declare
  old users;
  held int;
begin
  select * into old from users where id = given_id for update;
  if old.id is null or old.version <> from_version then
    outcome := 'stale';
    return;
  end if;

  -- Who deletes a role locks it for update: either they see that it is held, or it is gone here.
  perform from roles where name = any (kept_here) for key share;
  get diagnostics held = row_count;
  if held < cardinality(kept_here) then
    outcome := 'unknown_role';
    return;
  end if;

  if old.status = 'active' and exists (select from user_roles where user_id = given_id and role = 'admin')
    and (new_status <> 'active'
      or new_roles is not null and 'admin' <> all (new_roles)
        and not exists (select from user_roles where user_id = given_id and role = 'admin' and source = 'directory'))
  then
    -- Two who take each other away stand in line; the second reads what the first has committed.
    perform pg_advisory_xact_lock(hashtext('staff.last_admin'));
    if not exists (select from user_roles r join users u on u.id = r.user_id
                   where r.role = 'admin' and u.status = 'active' and u.id <> given_id)
    then
      outcome := 'last_admin';
      return;
    end if;
  end if;

  update users set display_name = new_display_name, email = new_email, team = new_team, status = new_status
  where id = given_id
  returning version, changed_at into new_version, new_changed_at;
  if new_roles is not null then
    delete from user_roles where user_id = given_id and source = 'assigned' and role <> all (new_roles);
    insert into user_roles (user_id, username, role)
    select given_id, old.username, role from unnest(new_roles) role
    on conflict do nothing;
  end if;
  if new_status = 'deactivated' then
    perform end_sessions(array(select id from sessions where user_id = given_id and ended_at is null), 'deactivated');
  end if;
  outcome := 'changed';
end $$;
grant execute on function staff.change_user to recoup_auth;

-- Changes a role from the version that was looked at; `new_grants` is all that it is worth, or null to leave it.
create function staff.change_role(
  given_name text, from_version int, new_description text, new_grants jsonb,
  out outcome text, out new_version int, out new_changed_at timestamptz)
language plpgsql set search_path = staff, pg_temp as $$
begin
  update roles set description = new_description where name = given_name and version = from_version
  returning version, changed_at into new_version, new_changed_at;
  if new_version is null then
    outcome := 'stale';
    return;
  end if;
  if new_grants is not null then
    delete from role_permissions where role = given_name and not new_grants ? permission;
    insert into role_permissions (role, permission, reach)
    select given_name, key, value from jsonb_each_text(new_grants)
    on conflict (role, permission) do update set reach = excluded.reach
      where role_permissions.reach <> excluded.reach;
  end if;
  outcome := 'changed';
end $$;
grant execute on function staff.change_role to recoup_auth;

-- Removes a role that nobody has; else says how many have it.
create function staff.remove_role(given_name text, from_version int, out outcome text, out holders int)
language plpgsql set search_path = staff, pg_temp as $$
begin
  perform from roles where name = given_name and version = from_version for update;
  if not found then
    outcome := 'stale';
    return;
  end if;
  select count(*) into holders from user_roles where role = given_name;
  if holders > 0 then
    outcome := 'in_use';
    return;
  end if;
  delete from role_permissions where role = given_name;
  delete from roles where name = given_name;
  outcome := 'removed';
end $$;
grant execute on function staff.remove_role to recoup_auth;

-- Gives a person of this version a password that somebody else knows. It ends their sessions and forgets their devices:
-- whoever knew the old one is out. False: they are of another version.
create function staff.give_password(given_id uuid, from_version int, new_hash text) returns boolean
language plpgsql security definer set search_path = staff, pg_temp as $$
declare
  name text;
begin
  update users set status = status where id = given_id and version = from_version and source = 'password'
  returning username into name;
  if name is null then return false; end if;
  insert into passwords (user_id, hash, must_change) values (given_id, new_hash, true)
  on conflict (user_id) do update set hash = excluded.hash, must_change = true, changed_at = now();
  delete from known_devices where user_id = given_id;
  perform end_sessions(array(select id from sessions where user_id = given_id and ended_at is null), 'password_given');
  perform audit.add('password.given', 'user', name, null, null, null);
  return true;
end $$;
grant execute on function staff.give_password to recoup_auth;

-- Every role that may call one of the functions has been named.
revoke all on all functions in schema staff from public;
