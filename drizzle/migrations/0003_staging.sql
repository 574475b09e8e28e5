-- Staging becomes payments. The ETL's INSERT stays as it is: every new column has a default, and what a column would
-- have refused (with the ETL's whole batch) is let in and quarantined row by row instead.

-- None of this rewrites or reads the table. The check is not validated: no row there has an outcome yet.
alter table public.payment_staging
  alter column reference_number type text, alter column reference_number drop not null,
  alter column loan_account_number type text, alter column loan_account_number drop not null,
  alter column cif type text, alter column cif drop not null,
  alter column amount drop not null,
  alter column payment_date drop not null,
  alter column payment_channel type text,
  -- ISO 4217; without it the metadata's `currency`, without that the deployment's.
  add column currency text,
  -- How a processed row ended. `reason` is its first fault's, `faults` has them all: [{field, code, message}].
  add column outcome text,
  add column reason text,
  add column faults jsonb,
  -- Recorded: the payment. Duplicate and conflict: the one that holds the reference, and the conflict.
  add column payment_id uuid,
  add column conflict_id uuid,
  -- Rows of a batch that faulted stay together as `batch_id`, have failed `attempts` times, and wait until `retry_at`.
  add column batch_id uuid,
  add column attempts smallint not null default 0,
  add column retry_at timestamptz,
  add constraint outcome_is_known check (outcome in ('recorded', 'duplicate', 'conflict', 'quarantined')) not valid;
create index payment_staging_retries on public.payment_staging (retry_at) where batch_id is not null and processed is not true;
create index payment_staging_quarantined on public.payment_staging (id) where outcome = 'quarantined';
create index payment_staging_reasons on public.payment_staging (reason, id) where outcome = 'quarantined';
-- Every row is written twice, so the defaults would let a fifth of a large table die before it is cleaned.
alter table public.payment_staging set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- One row a batch, there as soon as its rows are claimed: total = processed (newly recorded) + duplicate + conflict +
-- error (quarantined) once it is completed; a failed one has recorded nothing and its rows are tried again.
alter table payment_service.staging_process_log
  add column conflict_records integer default 0,
  add column instance text;
create index staging_process_log_running on payment_service.staging_process_log (started_at) where status = 'processing';
create index staging_process_log_started on payment_service.staging_process_log (started_at);

grant usage on schema public, payment_service to recoup_ingest;
grant select, update (processed, processed_at, outcome, reason, faults, payment_id, conflict_id, batch_id, attempts, retry_at)
  on public.payment_staging to recoup_ingest;
grant select, insert, update, delete on payment_service.staging_process_log to recoup_ingest;
grant execute on function payment_service.record_payments to recoup_ingest;

-- What staff did to quarantined rows, kept for good. `before` and `after` have the fields that a correction changed.
create table payment_service.staging_changes (
  id bigint generated always as identity primary key,
  staging_id bigint not null,
  kind text not null check (kind in ('corrected', 'released')),
  before jsonb,
  after jsonb,
  note text,
  actor text not null,
  changed_at timestamptz not null default now(),
  constraint correction_is_whole check ((kind = 'corrected') = (before is not null) and (kind = 'corrected') = (after is not null))
);
create index staging_changes_of_row on payment_service.staging_changes (staging_id, id);
grant select on payment_service.staging_changes to recoup_api;

-- Changes fields of a quarantined row; `changes` has the columns by name. False when there is no such row.
create function payment_service.correct_staged(staged bigint, changes jsonb, note text, new_actor text) returns boolean
language plpgsql volatile security definer set search_path = payment_service, pg_temp as $$
declare
  found_row public.payment_staging;
begin
  select * into found_row from public.payment_staging s where s.id = staged and s.outcome = 'quarantined' for update;
  if not found then return false; end if;
  insert into staging_changes (staging_id, kind, before, after, note, actor)
  select staged, 'corrected', jsonb_object_agg(name, to_jsonb(found_row) -> name), changes, note, new_actor
  from jsonb_object_keys(changes) as name;
  update public.payment_staging set
    reference_number = case when changes ? 'reference_number' then changes ->> 'reference_number' else reference_number end,
    loan_account_number = case when changes ? 'loan_account_number' then changes ->> 'loan_account_number' else loan_account_number end,
    cif = case when changes ? 'cif' then changes ->> 'cif' else cif end,
    amount = case when changes ? 'amount' then (changes ->> 'amount')::numeric else amount end,
    currency = case when changes ? 'currency' then changes ->> 'currency' else currency end,
    payment_date = case when changes ? 'payment_date' then (changes ->> 'payment_date')::timestamp else payment_date end,
    payment_channel = case when changes ? 'payment_channel' then changes ->> 'payment_channel' else payment_channel end,
    metadata = case when changes ? 'metadata' then nullif(changes -> 'metadata', 'null') else metadata end
  where id = staged;
  return true;
end $$;

-- Puts quarantined rows back to be processed: those of `ids`, or with null all, of one reason if one is given; at most
-- `at_most`, the oldest first. Answers how many.
create function payment_service.release_staged(ids bigint[], only_reason text, at_most int, note text, new_actor text) returns int
language sql volatile security definer set search_path = payment_service, pg_temp as $$
  with chosen as (
    select id from public.payment_staging
    where outcome = 'quarantined' and (ids is null or id = any (ids)) and (only_reason is null or reason = only_reason)
    order by id limit at_most
    for update
  ), released as (
    update public.payment_staging s
    set processed = false, processed_at = null, outcome = null, reason = null, faults = null,
        batch_id = null, attempts = 0, retry_at = null
    from chosen where s.id = chosen.id
    returning s.id
  ), told as (
    insert into staging_changes (staging_id, kind, note, actor)
    select id, 'released', note, new_actor from released order by id
    returning 1
  )
  select count(*)::int from told
$$;
revoke all on function payment_service.correct_staged, payment_service.release_staged from public;
grant execute on function payment_service.correct_staged, payment_service.release_staged to recoup_api;
