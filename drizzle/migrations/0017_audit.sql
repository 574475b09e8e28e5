-- The audit trail: what people, keys and commands change is noted by the tables themselves; committed entries are sealed
-- into a chain; what concerns sign-in is told to the log.

-- Noting changes -----------------------------------------------------------------------------------------------
-- A fifth argument is what the row's name names, where that is not the row: the customer of an erasure.
create or replace function audit.note_change() returns trigger
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
                      coalesce(tg_argv[4], kind), (old_row || new_row) ->> tg_argv[1], old_values, new_values, null);
  end if;
  return null;
end $$;

-- What is decided by the thousand is noted by one statement.
create function audit.note_dead_letters() returns trigger
language plpgsql security definer set search_path = audit, pg_temp as $$
declare
  asker jsonb := asker();
begin
  insert into entries (actor, action, subject_kind, subject_id, before, after, details, address, request_id, session_id)
  select coalesce(asker ->> 'actor', new_rows.decided_by), 'dead_letter.' || new_rows.status, 'dead_letter', new_rows.id,
    jsonb_build_object('status', old_rows.status),
    jsonb_strip_nulls(jsonb_build_object('status', new_rows.status, 'decided_reason', new_rows.decided_reason)),
    jsonb_strip_nulls(jsonb_build_object('source', new_rows.source, 'type', new_rows.type)),
    asker ->> 'address', asker ->> 'requestId', (asker ->> 'sessionId')::uuid
  from old_rows join new_rows using (id) where old_rows.status <> new_rows.status
  order by new_rows.buried_at, new_rows.id;
  return null;
end $$;
create trigger note_change after update on servicing.dead_letters
  referencing old table as old_rows new table as new_rows for each statement execute function audit.note_dead_letters();

create function audit.note_staging_changes() returns trigger
language plpgsql security definer set search_path = audit, pg_temp as $$
declare
  asker jsonb := asker();
begin
  insert into entries (actor, action, subject_kind, subject_id, before, after, details, address, request_id, session_id)
  select coalesce(asker ->> 'actor', c.actor), 'staged_row.' || c.kind, 'staged_row', c.staging_id,
    -- Metadata may say anything about anybody.
    case when c.before ? 'metadata' then c.before || '{"metadata": "***"}' else c.before end,
    case when c.after ? 'metadata' then c.after || '{"metadata": "***"}' else c.after end,
    case when c.note is not null then jsonb_build_object('note', c.note) end,
    asker ->> 'address', asker ->> 'requestId', (asker ->> 'sessionId')::uuid
  from new_rows c order by c.id;
  return null;
end $$;
create trigger note_change after insert on payment_service.staging_changes
  referencing new table as new_rows for each statement execute function audit.note_staging_changes();

-- A reversal that is refused and not kept has changed nothing, so it is looked at when its transaction ends.
create function audit.note_reversal() returns trigger
language plpgsql security definer set search_path = audit, pg_temp as $$
declare
  kept jsonb := (select to_jsonb(v) from payment_service.payment_reversals v where v.id = new.id);
begin
  if kept is not null then
    perform add('payment_reversal.created', 'payment_reversal', new.id::text, null,
                jsonb_strip_nulls(kept - array['id', 'event_id', 'actor', 'created_at', 'settled_at']), null);
  end if;
  return null;
end $$;
create constraint trigger note_change after insert on payment_service.payment_reversals deferrable initially deferred
  for each row when (new.source = 'api') execute function audit.note_reversal();

-- A payment that is put back or moved to another partition was recorded before.
create trigger note_change after insert on payment_service.payments
  for each row when (new.source = 'api' and new.created_at = now())
  execute function audit.note_change('payment', 'id', 'metadata', 'id,event_id,actor,created_at');
create trigger note_change after update on payment_service.payment_conflicts
  for each row when (new.status <> old.status)
  execute function audit.note_change('payment_conflict', 'id', '', 'decided_at');
create trigger note_change after update on payment_service.rejected_bodies
  for each row when (new.status <> old.status)
  execute function audit.note_change('rejected_body', 'id', 'resent_body', 'decided_at');
create trigger note_change after update on payment_service.payment_notices
  for each row when (new.retried_at is distinct from old.retried_at)
  execute function audit.note_change('payment_notice', 'id', 'payload', 'next_try_at,settled_at');
create trigger note_change after update on payment_service.buried_arrivals
  for each row when (new.replayed_at is distinct from old.replayed_at)
  execute function audit.note_change('buried_arrival', 'entry_id', 'arrival');
create trigger note_change after insert on servicing.erasures
  for each row execute function audit.note_change('erasure', 'customer_id', '', 'id,customer_id,erased_at', 'customer');
create trigger note_beginning after insert on servicing.rebuilds
  for each row execute function audit.note_change('rebuild', 'projection');
create trigger note_change after update on servicing.rebuilds
  for each row when (new.started_at <> old.started_at or new.finished_at is distinct from old.finished_at)
  execute function audit.note_change('rebuild', 'projection');

-- Sealing ------------------------------------------------------------------------------------------------------
-- Each seal's hash is SHA-256 of the hash before it and of its entry, so that nothing below the last one can be changed,
-- taken out or put in without changing all that follow.
create table audit.seals (
  position bigint primary key check (position > 0),
  entry_id bigint not null unique,
  hash bytea not null check (length(hash) = 32),
  sealed_at timestamptz not null default clock_timestamp()
);
create trigger only_added_to before update or delete or truncate on audit.seals
  for each statement execute function audit.refuse_change();

-- Entries that have no seal yet. Written with them, so that an entry which is neither here nor sealed was put in from
-- behind; and never looked for by their numbers, which are not given in the order of commits.
create table audit.unsealed (entry_id bigint primary key);
alter table audit.unsealed set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
insert into audit.unsealed select id from audit.entries;

create function audit.queue() returns trigger
language plpgsql security definer set search_path = audit, pg_temp as $$
begin
  insert into unsealed select id from new_rows on conflict do nothing;
  return null;
end $$;
create trigger queue after insert on audit.entries
  referencing new table as new_rows for each statement execute function audit.queue();

-- Every column, so that no two entries have the same text. shared/audit/store.ts has the same expression: who verifies
-- must not have to trust this one.
create function audit.canonical(e audit.entries) returns text
language sql stable as $$
  select jsonb_build_array(e.id, e.transaction_id::text, extract(epoch from e.at)::text, e.actor, e.action, e.subject_kind,
    e.subject_id, e.before, e.after, e.details, e.address, e.request_id, e.session_id)::text
$$;

-- Seals at most so many; answers how many. What commits later with a lower transaction id is yet to come while that
-- transaction runs, so only what is below the oldest running one is taken; an id that this cluster has not given yet came
-- with a copy of the database from another, and is not waited for.
create function audit.seal(at_most int) returns int
language plpgsql volatile security definer set search_path = audit, pg_temp as $$
declare
  last_position bigint := 0;
  last_hash bytea := '';
  sealed int := 0;
  e entries;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('audit.seal', 0)) then return 0; end if;
  select s.position, s.hash into last_position, last_hash from seals s order by s.position desc limit 1;
  if not found then
    last_position := 0;
    last_hash := '';
  end if;
  for e in
    select entries.* from unsealed join entries on entries.id = unsealed.entry_id
    where entries.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
       or entries.transaction_id >= pg_snapshot_xmax(pg_current_snapshot())
    order by entries.transaction_id, entries.id limit at_most
  loop
    last_position := last_position + 1;
    last_hash := sha256(last_hash || convert_to(canonical(e), 'UTF8'));
    insert into seals (position, entry_id, hash) values (last_position, e.id, last_hash);
    delete from unsealed u where u.entry_id = e.id;
    sealed := sealed + 1;
  end loop;
  return sealed;
end $$;

-- Telling ------------------------------------------------------------------------------------------------------
-- Seed 004's AuthEvent, of people alone; names of columns, not what is in them.
create function audit.announce() returns trigger
language plpgsql security definer set search_path = audit, pg_temp as $$
declare
  new_id uuid := gen_random_uuid();
  kind text := case when new.action = 'user.created' then 'USER_CREATED'
                    when new.action = 'sign_in.succeeded' then 'LOGIN_SUCCESS'
                    when new.action in ('sign_in.failed', 'sign_in.locked') then 'LOGIN_FAILED'
                    when new.action = 'session.ended' then 'LOGOUT'
                    else 'USER_UPDATED' end;
  name text := case
    when new.subject_kind in ('user', 'user_role') then new.subject_id
    when new.subject_kind = 'session' and new.subject_id ~ '^[0-9a-f-]{36}$' then
      (select u.username from staff.sessions s join staff.users u on u.id = s.user_id where s.id = new.subject_id::uuid) end;
begin
  name := coalesce(name, new.details ->> 'username', substring(new.actor from '^user:(.*)$'));
  insert into outbox.messages (destination, topic, key, event_id, payload)
  values ('log', 'auth.events', coalesce(name, 'unknown'), new_id, json_strip_nulls(json_build_object(
    'id', new_id, 'type', kind, 'userId', (select u.id from staff.users u where u.username = name), 'username', name,
    'timestamp', to_char(new.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'status', case kind when 'LOGIN_FAILED' then 'FAILED' else 'SUCCESS' end,
    'reason', coalesce(new.details ->> 'because', case when new.action = 'sign_in.locked' then 'locked' end),
    'details', json_build_object('action', new.action, 'actor', new.actor, 'address', new.address, 'requestId', new.request_id,
      'changed', (select json_agg(k order by k) from jsonb_object_keys(new.before || new.after) k))))::text);
  return null;
end $$;
create trigger announce after insert on audit.entries
  for each row when (new.action in ('user.created', 'user.changed', 'user_role.created', 'user_role.removed', 'password.changed',
    'totp.enrolled', 'totp.removed', 'sign_in.succeeded', 'sign_in.failed', 'sign_in.locked', 'session.ended'))
  execute function audit.announce();

-- Reading ------------------------------------------------------------------------------------------------------
-- Letters and digits only: what stands between them differs from one kind of text to the next.
create function audit.words(actor text, action text, subject_kind text, subject_id text, address text, request_id text,
                            before jsonb, after jsonb, details jsonb) returns tsvector
language sql immutable parallel safe
return to_tsvector('simple', regexp_replace(coalesce(actor, '') || ' ' || coalesce(action, '') || ' ' || coalesce(subject_kind, '')
  || ' ' || coalesce(subject_id, '') || ' ' || coalesce(address, '') || ' ' || coalesce(request_id, '') || ' '
  || coalesce(before::text, '') || ' ' || coalesce(after::text, '') || ' ' || coalesce(details::text, ''), '[^[:alnum:]]+', ' ', 'g'));

-- Each list is newest first by time.
drop index audit.entries_by_actor, audit.entries_by_action, audit.entries_by_subject;
create index entries_by_actor on audit.entries (actor, at, id);
create index entries_by_action on audit.entries (action text_pattern_ops, at, id);
create index entries_by_subject on audit.entries (subject_kind, subject_id, at, id);
create index entries_by_address on audit.entries (address, at, id) where address is not null;
create index entries_by_request on audit.entries (request_id) where request_id is not null;
create index entries_by_words on audit.entries
  using gin (audit.words(actor, action, subject_kind, subject_id, address, request_id, before, after, details));
create index entries_of_role_changes on audit.entries (at, id) where subject_kind in ('user_role', 'role', 'role_permission');
create index entries_of_customer_reads on audit.entries (at, id) where subject_kind = 'customer' and action like '%.read';

-- Who may do what ----------------------------------------------------------------------------------------------
revoke all on all functions in schema audit from public;
revoke all on function staff.find_session, staff.touch_session, staff.touch_key, staff.next_version from public;
grant execute on function audit.words to recoup_api, recoup_auth;
grant select on audit.seals, audit.unsealed to recoup_api;
grant usage on schema audit to recoup_ingest;
grant execute on function audit.seal to recoup_ingest;
