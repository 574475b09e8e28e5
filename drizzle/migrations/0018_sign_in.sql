-- Sign-in: attempts are counted before the password is tried, sessions are opened and renewed under a lock, and each
-- outcome is in the audit trail in its own transaction.

-- Attempts -------------------------------------------------------------------------------------------------------
-- Failures in a row. Keys are keyed hashes: people type their passwords where names belong.
--
--   kind               counts                                 free   then wait, doubling, at most
--   device             a known device, for its own person       5    30 s .. 1 h
--   name_and_address   one name from one address                5    30 s .. 1 h
--   address            any names from one address              30    30 s .. 15 min
--   name               one name from anywhere                  50    30 s .. 5 min
--
-- A device that its person has signed in from counts for itself alone: nobody else can make it wait.
create table staff.sign_in_attempts (
  kind text not null check (kind in ('device', 'name_and_address', 'address', 'name')),
  key bytea not null,
  failures int not null,
  last_at timestamptz not null,
  -- Of the one before the last: an attempt that succeeds is taken back.
  previous_at timestamptz not null,
  -- Turned away since the last failure.
  refused int not null default 0,
  primary key (kind, key)
);
create index sign_in_attempts_by_time on staff.sign_in_attempts (last_at);

-- How long such a counter makes the next attempt wait.
create function staff.backoff(kind text, failures int) returns interval
language sql immutable as $$
  select case when failures < free then interval '0'
              else least(make_interval(secs => 30 * 2 ^ least(failures - free, 20)), longest) end
  from (values ('device', 5, interval '1 hour'), ('name_and_address', 5, interval '1 hour'),
               ('address', 30, interval '15 minutes'), ('name', 50, interval '5 minutes')) limits (of_kind, free, longest)
  where of_kind = kind
$$;

-- Failures this old are forgotten.
create function staff.attempts_remembered() returns interval language sql immutable as $$ select interval '1 day' $$;

-- A browser in which somebody has signed in before: its cookie's SHA-256.
create table staff.known_devices (
  device_hash bytea not null,
  user_id uuid not null references staff.users,
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  primary key (device_hash, user_id)
);
create index known_devices_by_user on staff.known_devices (user_id);
create index known_devices_by_time on staff.known_devices (last_seen_at);

-- Second factor --------------------------------------------------------------------------------------------------
create table staff.totp (
  user_id uuid primary key references staff.users,
  -- Encrypted outside.
  secret text not null,
  created_at timestamptz not null default now(),
  confirmed_at timestamptz,
  -- Of the last code that was good: neither it nor an older one is good again.
  last_step bigint not null default 0
);

-- Passwords that are known to be in attackers' lists ------------------------------------------------------------
create table staff.breached_passwords (sha1 bytea primary key check (length(sha1) = 20));

-- How far a file of them has been read.
create table staff.breached_password_files (
  name text not null,
  size_bytes bigint not null,
  read_bytes bigint not null,
  changed_at timestamptz not null default now(),
  primary key (name, size_bytes)
);

-- Functions ------------------------------------------------------------------------------------------------------
-- Counts an attempt as failed before the password is tried, so that many at once cannot slip through, and answers what
-- it is tried against; or answers how long to wait. Unknown names are counted like others. A row of its own for each
-- kind of counter is locked in one order.
create function staff.begin_sign_in(given_name text, device bytea, device_key bytea, name_address_key bytea,
                                    address_key bytea, name_key bytea)
returns table (wait_seconds int, user_id uuid, username text, source text, status text, hash text, totp_secret text,
               totp_last_step bigint, known_device boolean)
language plpgsql security definer set search_path = staff, pg_temp as $$
#variable_conflict use_column
declare
  person users;
  moment timestamptz;
  is_known boolean := false;
  kinds text[] := array['address', 'name', 'name_and_address'];
  keys bytea[] := array[address_key, name_key, name_address_key];
  wait interval;
  noted int;
begin
  select * into person from users u where u.username = given_name;
  if person.id is not null and device is not null then
    is_known := exists (select from known_devices d where d.device_hash = device and d.user_id = person.id);
  end if;
  if is_known then
    kinds := array['device'];
    keys := array[device_key];
  end if;
  insert into sign_in_attempts (kind, key, failures, last_at, previous_at)
  select k, h, 0, 'epoch', 'epoch' from unnest(kinds, keys) counter (k, h) order by k
  on conflict do nothing;
  perform from sign_in_attempts a join unnest(kinds, keys) counter (k, h) on a.kind = k and a.key = h
  order by a.kind for update of a;
  moment := clock_timestamp();
  select max(a.last_at + backoff(a.kind, a.failures) - moment) into wait
  from sign_in_attempts a join unnest(kinds, keys) counter (k, h) on a.kind = k and a.key = h
  where a.last_at > moment - attempts_remembered();
  if wait > interval '0' then
    with turned_away as (
      update sign_in_attempts a set refused = refused + 1
      from unnest(kinds, keys) counter (k, h)
      where a.kind = k and a.key = h and a.last_at + backoff(a.kind, a.failures) > moment
        and a.last_at > moment - attempts_remembered()
      returning a.kind, a.failures, a.refused)
    -- Once for each time that it closes: whoever goes on trying does not fill the trail.
    select count(audit.add('sign_in.locked', 'user', person.username, null, null,
                           jsonb_build_object('because', t.kind, 'failures', t.failures, 'until', moment + wait,
                                              'known_name', person.id is not null)))
      into noted
    from turned_away t where t.refused = 1;
    return query select ceil(extract(epoch from wait))::int, null::uuid, null, null, null, null, null, null::bigint, is_known;
    return;
  end if;
  update sign_in_attempts a
  set failures = case when a.last_at > moment - attempts_remembered() then a.failures + 1 else 1 end,
      previous_at = a.last_at, last_at = moment, refused = 0
  from unnest(kinds, keys) counter (k, h) where a.kind = k and a.key = h;
  return query
    select 0, person.id, person.username, person.source, person.status, p.hash, t.secret, t.last_step, is_known
    from (select) as one
    left join passwords p on p.user_id = person.id
    left join totp t on t.user_id = person.id and t.confirmed_at is not null;
end $$;
grant execute on function staff.begin_sign_in to recoup_auth;

-- Takes an attempt back. One that succeeded also forgets the failures of its own device, or name and address.
create function staff.take_attempt_back(known_device boolean, succeeded boolean, device_key bytea,
                                        name_address_key bytea, address_key bytea, name_key bytea)
returns void
language plpgsql security definer set search_path = staff, pg_temp as $$
declare
  kinds text[] := case when known_device then array['device'] else array['address', 'name', 'name_and_address'] end;
  keys bytea[] := case when known_device then array[device_key] else array[address_key, name_key, name_address_key] end;
begin
  perform from sign_in_attempts a join unnest(kinds, keys) counter (k, h) on a.kind = k and a.key = h
  order by a.kind for update of a;
  update sign_in_attempts a
  set failures = case when succeeded and a.kind in ('device', 'name_and_address') then 0
                      else greatest(a.failures - 1, 0) end,
      last_at = a.previous_at
  from unnest(kinds, keys) counter (k, h) where a.kind = k and a.key = h;
end $$;
grant execute on function staff.take_attempt_back to recoup_auth;

-- Ends what `chosen` names, with an entry for each, and answers them.
create function staff.end_sessions(chosen uuid[], why text)
returns setof uuid
language plpgsql security definer set search_path = staff, pg_temp as $$
begin
  return query
    with ended as (
      update sessions s
      set ended_at = now(), ended_because = why, ended_by = coalesce(audit.asker() ->> 'actor', session_user)
      where s.id = any (chosen) and s.ended_at is null
      returning s.id, s.user_id)
    select e.id
    from ended e join users u on u.id = e.user_id
    cross join lateral (select audit.add('session.ended', 'user', u.username, null, null,
                                         jsonb_build_object('session', e.id, 'because', why))) noted;
end $$;
grant execute on function staff.end_sessions to recoup_auth;

-- Whether it could be used now.
create function staff.is_live(s staff.sessions) returns boolean
language sql stable as $$
  select s.ended_at is null and s.expires_at > now() and s.last_used_at + s.idle_limit > now()
$$;

grant execute on function staff.is_live to recoup_auth;

-- A new session of somebody active; beyond their limit the oldest end, a bounded number at a time. No row for somebody who is not active. Their row is
-- locked, so that two sign-ins at once do not both take the last place.
create function staff.open_session(person uuid, as_kind text, secret bytea, refresh bytea, by_method text, from_device text,
                                   from_address text, idle_seconds int, lifetime_seconds int, most int)
returns table (session_id uuid, ended uuid[])
language plpgsql security definer set search_path = staff, pg_temp as $$
#variable_conflict use_column
declare
  opened uuid;
  surplus uuid[];
begin
  perform from users u where u.id = person and u.status = 'active' for no key update;
  if not found then return; end if;
  insert into sessions (user_id, kind, secret_hash, method, device, address, idle_limit, expires_at)
  values (person, as_kind, secret, by_method, from_device, from_address, make_interval(secs => idle_seconds),
          now() + make_interval(secs => lifetime_seconds))
  returning id into opened;
  if refresh is not null then
    insert into refresh_tokens (hash, session_id) values (refresh, opened);
  end if;
  surplus := array(
    select s.id from sessions s
    where s.user_id = person and s.ended_at is null and s.id <> opened and is_live(s)
    order by s.created_at desc, s.id offset most - 1 limit 500);
  if cardinality(surplus) > 0 then
    surplus := array(select end_sessions(surplus, 'limit'));
  end if;
  return query select opened, surplus;
end $$;
grant execute on function staff.open_session to recoup_auth;

-- After the password, and the code where there is one, have been found right against `verified`. Answers no row when
-- that is not so any more: the password was changed meanwhile, the code was used, the second factor is new.
create function staff.complete_sign_in(person uuid, verified text, rehashed text, totp_step bigint, session jsonb,
                                       secret bytea, refresh bytea, replaced bytea, device bytea, was_known boolean,
                                       device_key bytea, name_address_key bytea, address_key bytea, name_key bytea)
returns table (session_id uuid, ended uuid[])
language plpgsql security definer set search_path = staff, pg_temp as $$
#variable_conflict use_column
declare
  name text;
  opened record;
  left_behind uuid;
begin
  select u.username into name from users u where u.id = person and u.status = 'active' for no key update;
  if not found then return; end if;
  perform from passwords p where p.user_id = person and p.hash = verified for update;
  if not found then return; end if;
  if exists (select from totp t where t.user_id = person and t.confirmed_at is not null) then
    update totp t set last_step = totp_step where t.user_id = person and t.last_step < totp_step;
    if not found then return; end if;
  end if;
  if rehashed is not null then
    update passwords p set hash = rehashed where p.user_id = person;
  end if;
  select s.id into left_behind from sessions s where s.secret_hash = replaced and s.ended_at is null;
  if left_behind is not null then
    perform end_sessions(array[left_behind], 'replaced');
  end if;
  select * into opened from open_session(person, session ->> 'kind', secret, refresh, 'password', session ->> 'device',
    session ->> 'address', (session ->> 'idleSeconds')::int, (session ->> 'lifetimeSeconds')::int,
    (session ->> 'most')::int);
  if device is not null then
    insert into known_devices (device_hash, user_id) values (device, person)
    on conflict (device_hash, user_id) do update set last_seen_at = now();
  end if;
  perform take_attempt_back(was_known, true, device_key, name_address_key, address_key, name_key);
  perform audit.add('sign_in.succeeded', 'user', name, null, null,
    jsonb_build_object('session', opened.session_id, 'kind', session ->> 'kind', 'method', 'password',
                       'code', totp_step is not null, 'known_device', was_known));
  return query select opened.session_id, opened.ended || array_remove(array[left_behind], null);
end $$;
grant execute on function staff.complete_sign_in to recoup_auth;

-- A refresh token is good once; whoever comes with a used one ends the session, because one of the two has stolen it.
create function staff.refresh_session(given bytea, next bytea)
returns table (outcome text, session_id uuid, username text)
language plpgsql security definer set search_path = staff, pg_temp as $$
#variable_conflict use_column
declare
  token refresh_tokens;
  held sessions;
  person users;
  ended uuid;
begin
  select * into token from refresh_tokens r where r.hash = given for update;
  if not found then
    return query select 'unknown', null::uuid, null;
    return;
  end if;
  select * into held from sessions s where s.id = token.session_id for update;
  select * into person from users u where u.id = held.user_id;
  if token.used_at is not null then
    ended := (select end_sessions(array[held.id], 'reuse'));
    if ended is not null then
      perform audit.add('token.reused', 'user', person.username, null, null, jsonb_build_object('session', held.id));
    end if;
    return query select 'reused', held.id, person.username;
    return;
  end if;
  if not is_live(held) or person.status <> 'active' then
    return query select 'ended', held.id, person.username;
    return;
  end if;
  -- Only the token tells who asks.
  perform set_config('recoup.asker', (audit.asker() || jsonb_build_object('actor', 'user:' || person.username,
                                                                          'sessionId', held.id))::text, true);
  update refresh_tokens r set used_at = now() where r.hash = given;
  insert into refresh_tokens (hash, session_id) values (next, held.id);
  update sessions s set last_used_at = now() where s.id = held.id;
  perform audit.add('token.refreshed', 'user', person.username, null, null, jsonb_build_object('session', held.id));
  return query select 'refreshed', held.id, person.username;
end $$;
grant execute on function staff.refresh_session to recoup_auth;

-- Sets a password, unless it was changed since `verified` was; ends every session but one, and forgets every device
-- but one. Answers what it ended, and no row when it changed nothing.
create function staff.change_password(person uuid, verified text, hashed text, kept_session uuid, kept_device bytea)
returns table (ended uuid[])
language plpgsql security definer set search_path = staff, pg_temp as $$
#variable_conflict use_column
declare
  name text;
begin
  select u.username into name from users u where u.id = person and u.status = 'active' for no key update;
  update passwords p set hash = hashed, must_change = false, changed_at = now()
  where p.user_id = person and p.hash = verified and name is not null;
  if not found then return; end if;
  delete from known_devices d where d.user_id = person and d.device_hash is distinct from kept_device;
  perform audit.add('password.changed', 'user', name, null, null, null);
  return query select array(select end_sessions(array(
    select s.id from sessions s where s.user_id = person and s.ended_at is null and s.id is distinct from kept_session
  ), 'password_changed'));
end $$;
grant execute on function staff.change_password to recoup_auth;

-- Clearing away ----------------------------------------------------------------------------------------------------
-- When a session was over, or would have been without anything happening.
create index sessions_by_end on staff.sessions ((least(ended_at, expires_at)));

create function staff.remove_old_sessions(before timestamptz, at_most int) returns int
language plpgsql security definer set search_path = staff, pg_temp as $$
declare
  chosen uuid[] := array(select s.id from sessions s where least(s.ended_at, s.expires_at) < before
                         order by least(s.ended_at, s.expires_at) limit at_most for update skip locked);
begin
  delete from refresh_tokens r where r.session_id = any (chosen);
  delete from sessions s where s.id = any (chosen);
  return cardinality(chosen);
end $$;
grant execute on function staff.remove_old_sessions to recoup_ingest;

create function staff.remove_old_attempts(at_most int) returns int
language plpgsql security definer set search_path = staff, pg_temp as $$
declare
  removed int;
begin
  delete from sign_in_attempts a using (
    select o.kind, o.key from sign_in_attempts o where o.last_at < now() - attempts_remembered()
    limit at_most for update skip locked) old
  where a.kind = old.kind and a.key = old.key;
  get diagnostics removed = row_count;
  return removed;
end $$;
grant execute on function staff.remove_old_attempts to recoup_ingest;

create function staff.remove_old_devices(before timestamptz, at_most int) returns int
language plpgsql security definer set search_path = staff, pg_temp as $$
declare
  removed int;
begin
  delete from known_devices d using (
    select o.device_hash, o.user_id from known_devices o where o.last_seen_at < before
    limit at_most for update skip locked) old
  where d.device_hash = old.device_hash and d.user_id = old.user_id;
  get diagnostics removed = row_count;
  return removed;
end $$;
grant execute on function staff.remove_old_devices to recoup_ingest;

grant usage on schema staff to recoup_ingest;
grant select, insert, update, delete on staff.totp to recoup_auth;
grant select on staff.breached_passwords to recoup_auth;

-- Every role that may call one of the functions has been named.
revoke all on all functions in schema staff from public;
