-- People for whom somebody else vouches: a provider (OpenID Connect) or a directory (LDAP). Who they are is its name for
-- them, which it gives once and for ever, and nothing else: neither their user name nor their e-mail address.

create table staff.identities (
  issuer text not null check (length(issuer) between 1 and 1000),
  subject text not null check (length(subject) between 1 and 1000),
  user_id uuid not null references staff.users,
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  primary key (issuer, subject)
);
create index identities_by_user on staff.identities (user_id);

-- Lets somebody in whom an issuer vouches for, with the roles that their groups are worth: `new_roles` are all of them,
-- `kept_here` those of them that live in staff.roles and count only if they are there.
--
--   known by (issuer, subject)             -> that person
--   a person made known beforehand under   -> that person, from now on; not if another issuer has vouched for them
--     this source and subject
--   nobody                                 -> a new person, if their groups are worth a role and their name is free
--
-- Outcomes: opened; no_role (none from groups, none by hand); deactivated; name_taken; unusable_name. Whoever is left
-- without a role has no sessions left either. Each outcome is in the audit trail.
create function staff.sign_in_from(given_source text, given_issuer text, given_subject text, given_name text,
                                   shown_name text, given_email text, new_roles text[], kept_here text[], session jsonb,
                                   secret bytea, refresh bytea, replaced bytea, device bytea)
returns table (outcome text, username text, session_id uuid, ended uuid[])
language plpgsql security definer set search_path = staff, pg_temp as $$
#variable_conflict use_column
declare
  person users;
  granted text[];
  result text;
  opened record;
  left_behind uuid;
  asked jsonb := audit.asker();
  identity jsonb := jsonb_build_object('method', given_source, 'issuer', given_issuer, 'subject', given_subject);
begin
  -- Two sign-ins at once make one person.
  perform pg_advisory_xact_lock(hashtextextended('staff.identities ' || given_issuer || ' ' || given_subject, 0));
  select u.* into person from identities i join users u on u.id = i.user_id
  where i.issuer = given_issuer and i.subject = given_subject for no key update of u;
  if person.id is null then
    select u.* into person from users u
    where u.source = given_source and u.external_id = given_subject
      and not exists (select from identities i where i.user_id = u.id) for no key update;
  end if;
  perform from roles r where r.name = any (kept_here) for key share;
  granted := array(select g.role from unnest(new_roles) g (role)
                   where g.role <> all (kept_here) or exists (select from roles r where r.name = g.role));

  -- It is the provider, or the directory, that makes people and gives and takes roles.
  perform set_config('recoup.asker', (asked || jsonb_build_object('actor', 'directory:' || given_source))::text, true);
  if person.id is null then
    if cardinality(granted) = 0 then
      result := 'no_role';
    elsif given_name !~ '^[a-z0-9][a-z0-9._@-]{0,63}$' then
      result := 'unusable_name';
    else
      insert into users (username, display_name, email, source, external_id, created_by)
      values (given_name, shown_name, given_email, given_source, given_subject, 'directory:' || given_source)
      on conflict do nothing returning * into person;
      if person.id is null then result := 'name_taken'; end if;
    end if;
  elsif person.status <> 'active' then
    result := 'deactivated';
  end if;

  if result is null then
    insert into identities (issuer, subject, user_id) values (given_issuer, given_subject, person.id)
    on conflict (issuer, subject) do update set last_seen_at = now();
    update users u set display_name = shown_name, email = coalesce(given_email, u.email)
    where u.id = person.id and (u.display_name, u.email) is distinct from (shown_name, coalesce(given_email, u.email));
    delete from user_roles r where r.user_id = person.id and r.source = 'directory' and r.role <> all (granted);
    insert into user_roles (user_id, username, role, source)
    select person.id, person.username, g.role, 'directory' from unnest(granted) g (role) on conflict do nothing;
    if not exists (select from user_roles r where r.user_id = person.id) then
      result := 'no_role';
      perform end_sessions(array(select s.id from sessions s where s.user_id = person.id and s.ended_at is null), 'no_role');
    end if;
  end if;

  if result is not null then
    perform set_config('recoup.asker', asked::text, true);
    perform audit.add('sign_in.failed', 'user', person.username, null, null,
                      identity || jsonb_build_object('because', result, 'named', given_name));
    return query select result, person.username, null::uuid, null::uuid[];
    return;
  end if;

  perform set_config('recoup.asker', (asked || jsonb_build_object('actor', 'user:' || person.username))::text, true);
  select s.id into left_behind from sessions s where s.secret_hash = replaced and s.ended_at is null;
  if left_behind is not null then
    perform end_sessions(array[left_behind], 'replaced');
  end if;
  select * into opened from open_session(person.id, session ->> 'kind', secret, refresh, given_source,
    session ->> 'device', session ->> 'address', (session ->> 'idleSeconds')::int, (session ->> 'lifetimeSeconds')::int,
    (session ->> 'most')::int);
  if device is not null then
    insert into known_devices (device_hash, user_id) values (device, person.id)
    on conflict (device_hash, user_id) do update set last_seen_at = now();
  end if;
  perform audit.add('sign_in.succeeded', 'user', person.username, null, null,
                    identity || jsonb_build_object('session', opened.session_id, 'kind', session ->> 'kind'));
  return query select 'opened', person.username, opened.session_id, opened.ended || array_remove(array[left_behind], null);
end $$;

-- Every role that may call one of the functions has been named.
revoke all on all functions in schema staff from public;
grant execute on function staff.sign_in_from to recoup_auth;
