-- What staff write and watch: notes about customers, saved views of lists, and what changes while they look.

-- Notes ----------------------------------------------------------------------------------------------------------
create schema notes;

create table notes.notes (
  id uuid primary key default gen_random_uuid(),
  -- Whoever survived when it was written; who was merged since then is found by servicing.same_customers.
  customer_id text not null,
  pinned boolean not null default false,
  version int not null default 1,
  created_at timestamptz not null default now(),
  created_by text not null,
  changed_at timestamptz not null default now()
);
create index notes_by_customer on notes.notes (customer_id);
create trigger next_version before update on notes.notes for each row execute function staff.next_version();
create trigger note_change after insert or update or delete on notes.notes
  for each row execute function audit.note_change('note', 'id', '', 'id,created_at,created_by');

-- What was written first, and what was added to it; none is ever changed.
create table notes.texts (
  note_id uuid not null references notes.notes on delete cascade,
  number int not null check (number between 1 and 100),
  text text not null check (length(text) between 1 and 4000),
  written_at timestamptz not null default now(),
  written_by text not null,
  primary key (note_id, number)
);
create trigger note_change after insert or update or delete on notes.texts
  for each row execute function audit.note_change('note_text', 'note_id', 'text', 'note_id,written_at,written_by', 'note');

-- As it is answered.
create function notes.shown(n notes.notes) returns json
language sql stable security definer set search_path = notes, pg_temp as $$
  select json_build_object('id', n.id, 'customerId', servicing.surviving_customer(n.customer_id), 'pinned', n.pinned,
    'version', n.version, 'texts', (
      select json_agg(json_build_object('text', t.text, 'writtenBy', t.written_by,
        'writtenAt', to_char(t.written_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) order by t.number)
      from texts t where t.note_id = n.id),
    'createdBy', n.created_by,
    'createdAt', to_char(n.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'changedAt', to_char(n.changed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
$$;

-- Under a key once: `state` is 'new', 'repeated' with the note as it is now (none when it has been erased), or 'reused'.
-- Nothing else is kept under the key, because what a note says must go with it. 'erased': the customer has been.
create function notes.write_note(claimant text, given_key text, given_request text, customer text, new_text text, new_pinned boolean)
returns table (state text, note json)
language plpgsql volatile security definer set search_path = notes, pg_temp as $$
#variable_conflict use_column
declare
  k operations.idempotency_keys;
  made notes;
begin
  if given_key is not null then
    k := operations.claim_key(claimant, given_key, given_request);
    if k.request <> given_request then return query select 'reused', null::json; return; end if;
    if k.done is not null then
      return query select 'repeated', (select shown(n) from notes n where n.id = (k.done ->> 'id')::uuid);
      return;
    end if;
  end if;
  -- Whoever erases waits for this, or is done and seen.
  perform pg_advisory_xact_lock_shared(hashtextextended('servicing.erasure', 0));
  if exists (select from servicing.subject_keys s
             where s.subject in (select 'customer:' || same.id from servicing.same_customers(customer) as same (id))
               and s.erased_at is not null) then
    return query select 'erased', null::json;
    return;
  end if;
  insert into notes (customer_id, pinned, created_by) values (customer, new_pinned, claimant) returning * into made;
  insert into texts (note_id, number, text, written_by) values (made.id, 1, new_text, claimant);
  update operations.idempotency_keys i set done = jsonb_build_object('id', made.id)
  where i.actor = claimant and i.key = given_key;
  return query select 'new', shown(made);
end $$;

-- Adds a text to a note of this version, or pins it, or both; null leaves it. No row when there is no such note among those
-- that the caller may change: everybody's, or those that they or somebody of the team wrote.
create function notes.change_note(given_id uuid, from_version int, new_text text, new_pinned boolean,
                                  asking text, everybody boolean, of_team text)
returns table (outcome text, note json)
language plpgsql volatile security definer set search_path = notes, pg_temp as $$
#variable_conflict use_column
declare
  held notes;
  last int;
begin
  select * into held from notes n
  where n.id = given_id and (everybody or n.created_by = asking
    or exists (select from staff.users u where u.team = of_team and n.created_by = 'user:' || u.username))
  for update;
  if not found then return; end if;
  if held.version <> from_version then
    return query select 'stale', shown(held);
    return;
  end if;
  if new_text is not null then
    select max(t.number) into last from texts t where t.note_id = given_id;
    if last >= 100 then
      return query select 'full', null::json;
      return;
    end if;
    insert into texts (note_id, number, text, written_by) values (given_id, last + 1, new_text, asking);
  end if;
  if new_text is not null or new_pinned <> held.pinned then
    update notes n set pinned = coalesce(new_pinned, n.pinned) where n.id = given_id returning * into held;
  end if;
  return query select 'changed', shown(held);
end $$;

revoke all on all functions in schema notes from public;
grant usage on schema notes to recoup_api;
grant select on notes.notes, notes.texts to recoup_api;
grant execute on function notes.shown, notes.write_note, notes.change_note to recoup_api;

-- Saved views ----------------------------------------------------------------------------------------------------
create schema views;

-- A list with filters, under a name: the owner's, and of those they share it with.
create table views.views (
  id uuid primary key default gen_random_uuid(),
  owner text not null,
  name text not null check (length(name) between 1 and 100),
  list text not null,
  query jsonb not null,
  shared_with text not null default 'nobody' check (shared_with in ('nobody', 'team', 'everybody')),
  team text,
  version int not null default 1,
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  unique (owner, name),
  check ((shared_with = 'team') = (team is not null))
);
create index views_in_order on views.views (name collate "C", id);
create trigger next_version before update on views.views for each row execute function staff.next_version();
create trigger note_change after insert or update or delete on views.views
  for each row execute function audit.note_change('view', 'id', 'query', 'id,created_at');
grant usage on schema views to recoup_api;
grant select, insert, delete, update (name, list, query, shared_with, team) on views.views to recoup_api;

-- Live changes ---------------------------------------------------------------------------------------------------
create schema live;

-- A row for each statement that changed something which screens show: what, and never what it says of anybody. Read by
-- snapshots (docs/decisions/0022-live-changes-are-read-by-snapshots.md), trimmed by a job.
create table live.changes (
  transaction_id xid8 not null default pg_current_xact_id(),
  position bigint generated always as identity,
  kind text not null,
  -- Null when they are too many to be told one by one.
  ids text[],
  -- Numbers or ids of the loans that they are about.
  accounts text[],
  at timestamptz not null default now(),
  primary key (transaction_id, position)
);
alter table live.changes set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

-- The highest transaction of which something has been trimmed.
create table live.horizon (single boolean primary key default true check (single), trimmed xid8 not null);
insert into live.horizon (trimmed) values ('0');

-- What writes payments has its owner's rights, so these need none of their own; they are on the way of every payment.
-- One that is put back or moved to another partition was recorded before.
create function live.tell_payments() returns trigger
language plpgsql as $$
begin
  insert into live.changes (kind, ids, accounts)
  select 'payments', case when count(*) <= 100 then array_agg(p.reference_number::text) end,
    case when count(*) <= 100 then array_agg(p.loan_account_number::text) end
  from new_rows p where p.created_at = now() having count(*) > 0;
  return null;
end $$;
create trigger tell after insert on payment_service.payments
  referencing new table as new_rows for each statement execute function live.tell_payments();

create function live.tell_reversed() returns trigger
language plpgsql as $$
begin
  insert into live.changes (kind, ids, accounts)
  select 'payments', case when count(*) <= 100 then array_agg(n.reference_number::text) end,
    case when count(*) <= 100 then array_agg(n.loan_account_number::text) end
  from old_rows o join new_rows n using (namespace, reference_number) where n.reversed <> o.reversed having count(*) > 0;
  return null;
end $$;
create trigger tell after update on payment_service.payment_references
  referencing old table as old_rows new table as new_rows for each statement execute function live.tell_reversed();

create function live.tell_accounts() returns trigger
language plpgsql security definer set search_path = live, pg_temp as $$
begin
  insert into changes (kind, ids, accounts)
  select 'accounts', case when count(*) <= 100 then array_agg(a.account_id) end,
    case when count(*) <= 100 then array_remove(array_agg(a.account_number), null) end
  from new_rows a having count(*) > 0;
  return null;
end $$;
create trigger tell_new after insert on servicing.loan_accounts
  referencing new table as new_rows for each statement execute function live.tell_accounts();
create trigger tell_changed after update on servicing.loan_accounts
  referencing new table as new_rows for each statement execute function live.tell_accounts();

create function live.tell_approvals() returns trigger
language plpgsql security definer set search_path = live, pg_temp as $$
begin
  insert into changes (kind, ids, accounts)
  select 'approvals', case when count(*) <= 100 then array_agg(r.request_id) end,
    case when count(*) <= 100 then array_remove(array_agg(r.account_id), null) end
  from new_rows r having count(*) > 0;
  return null;
end $$;
create trigger tell_new after insert on servicing.approvals
  referencing new table as new_rows for each statement execute function live.tell_approvals();
create trigger tell_changed after update on servicing.approvals
  referencing new table as new_rows for each statement execute function live.tell_approvals();

-- Of the first so many those that are old enough: a later transaction's are hardly ever older.
create function live.remove_old_changes(older_than interval, most int) returns int
language plpgsql volatile security definer set search_path = live, pg_temp as $$
declare
  removed int;
  last xid8;
begin
  with gone as (
    delete from changes where (transaction_id, position) in (
      select transaction_id, position from (
        select transaction_id, position, at from changes order by transaction_id, position limit most for update skip locked
      ) oldest where at < now() - older_than
    ) returning transaction_id)
  -- One that this cluster has not given yet came with a copy of the database from another.
  select count(*), max(transaction_id) filter (where transaction_id < pg_snapshot_xmax(pg_current_snapshot()))
    into removed, last from gone;
  update horizon set trimmed = last where trimmed < last or trimmed >= pg_snapshot_xmax(pg_current_snapshot());
  return removed;
end $$;

revoke all on all functions in schema live from public;
grant usage on schema live to recoup_api, recoup_ingest;
grant select on live.changes, live.horizon to recoup_api;
grant execute on function live.remove_old_changes to recoup_ingest;
