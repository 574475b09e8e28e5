-- Roles first: one per process, none may log in until `npm run migrate` (or an operator) gives it a password.
-- Roles belong to the cluster, so a second database in the same cluster finds them there.
do $$
declare role_name text;
begin
  foreach role_name in array array['recoup_webhooks', 'recoup_auth', 'recoup_api', 'recoup_publisher'] loop
    begin
      execute format('create role %I nologin', role_name);
    exception when duplicate_object or unique_violation then null;
    end;
  end loop;
end $$;

create schema payment_service;
create schema outbox;
create schema staff;
create schema operations;
revoke all on schema public from public;
grant usage on schema payment_service to recoup_webhooks, recoup_api;
grant usage on schema outbox to recoup_api, recoup_publisher;
grant usage on schema staff to recoup_api, recoup_auth;
grant usage on schema operations to recoup_api, recoup_publisher;
grant usage on schema public to recoup_api;

-- Outbox -----------------------------------------------------------------------------------------------------
-- A row is a message still to be delivered; the relay deletes it once the destination has confirmed it.
-- `payload` is the exact text that goes out, so that no relay ever reads an amount through a double.
create table outbox.messages (
  destination text not null,
  position bigint generated always as identity,
  topic text not null,
  key text not null,
  event_id uuid not null,
  payload text not null,
  created_at timestamptz not null default now(),
  primary key (destination, position)
);
alter table outbox.messages set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
grant select on outbox.messages to recoup_api;
grant select, delete on outbox.messages to recoup_publisher;

-- Payments ---------------------------------------------------------------------------------------------------
-- ISO 4217 minor units; the list in shared/money.ts is the same, a test compares them.
create function payment_service.currency_exponent(currency text) returns int
language sql immutable parallel safe as $$
  select case
    when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') then 0
    when currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 3
    when currency in ('CLF', 'UYW') then 4
    else 2
  end
$$;

-- The reference decides whether a payment is new. Rows stay for good: purging one would let its payment in twice.
-- Amount, currency, loan account and the payment's calendar date in the business zone are its facts.
create table payment_service.payment_references (
  namespace text not null,
  reference_number varchar(255) not null,
  payment_id uuid not null unique,
  payment_date timestamptz not null,
  amount numeric(19, 4) not null,
  currency char(3) not null,
  loan_account_number varchar(20) not null,
  paid_on date not null,
  reversed numeric(19, 4) not null default 0,
  created_at timestamptz not null default now(),
  primary key (namespace, reference_number),
  constraint amount_is_positive check (amount > 0 and amount < 1e13),
  constraint amount_fits_currency check (amount = round(amount, payment_service.currency_exponent(currency))),
  constraint reversed_within_amount check (reversed >= 0 and reversed <= amount)
);
create index idx_payment_refs_created on payment_service.payment_references (created_at);

create table payment_service.payments (
  id uuid not null,
  namespace text not null,
  reference_number varchar(255) not null,
  loan_account_number varchar(20) not null,
  cif varchar(20) not null,
  amount numeric(19, 4) not null,
  currency char(3) not null,
  payment_date timestamptz not null,
  paid_on date not null,
  payment_channel varchar(100) not null,
  source varchar(50) not null check (source in ('webhook', 'staging', 'api', 'sync')),
  metadata jsonb not null default '{}',
  linked_payment_id uuid,
  event_id uuid not null,
  actor text not null,
  created_at timestamptz not null default now(),
  primary key (id, payment_date),
  constraint amount_is_positive check (amount > 0 and amount < 1e13),
  constraint amount_fits_currency check (amount = round(amount, payment_service.currency_exponent(currency)))
) partition by range (payment_date);
create index idx_payments_reference on payment_service.payments (reference_number);
create index idx_payments_loan_account on payment_service.payments (loan_account_number, payment_date desc, id desc);
create index idx_payments_cif on payment_service.payments (cif, payment_date desc, id desc);
create index idx_payments_created_at on payment_service.payments (created_at);
create table payment_service.payments_default partition of payment_service.payments default;

-- Creates the monthly partitions (UTC months) from `first_month` until `months_ahead` months after this one, where
-- they are missing. A month whose rows already lie in the default partition is left for maintenance to move.
create function payment_service.ensure_partitions(months_ahead int, first_month date default date_trunc('month', now() at time zone 'UTC')::date)
returns int
language plpgsql as $$
declare
  month date := date_trunc('month', first_month)::date;
  last_month date := (date_trunc('month', now() at time zone 'UTC') + make_interval(months => months_ahead))::date;
  partition_name text;
  created int := 0;
begin
  while month <= last_month loop
    partition_name := 'payments_' || to_char(month, 'YYYY_MM');
    if to_regclass('payment_service.' || partition_name) is null then
      begin
        execute format('create table payment_service.%I partition of payment_service.payments for values from (%L) to (%L)',
          partition_name, month::text || ' 00:00:00+00', (month + interval '1 month')::date::text || ' 00:00:00+00');
        created := created + 1;
      exception when check_violation then
        raise warning 'partition % waits: its rows are in the default partition', partition_name;
      end;
    end if;
    month := (month + interval '1 month')::date;
  end loop;
  return created;
end $$;
select payment_service.ensure_partitions(3, (now() - interval '1 month')::date);

-- A reference that came again with other facts. The first version is the payment, this row is the other one, whole.
create table payment_service.payment_conflicts (
  id uuid primary key default gen_random_uuid(),
  payment_id uuid not null,
  namespace text not null,
  reference_number varchar(255) not null,
  loan_account_number varchar(20) not null,
  cif varchar(20) not null,
  amount numeric(19, 4) not null,
  currency char(3) not null,
  payment_date timestamptz not null,
  paid_on date not null,
  payment_channel varchar(100) not null,
  source varchar(50) not null,
  metadata jsonb not null,
  actor text not null,
  times_seen int not null default 1,
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  status text not null default 'open' check (status in ('open', 'accepted', 'dismissed')),
  decided_by text,
  decided_at timestamptz,
  reason text,
  accepted_payment_id uuid,
  constraint one_row_per_version unique (payment_id, amount, currency, loan_account_number, paid_on),
  constraint decision_is_whole check ((status = 'open') = (decided_by is null) and (status = 'open') = (decided_at is null)),
  constraint accepted_has_payment check ((status = 'accepted') = (accepted_payment_id is not null)),
  constraint dismissed_has_reason check (status <> 'dismissed' or reason is not null)
);
create index payment_conflicts_newest on payment_service.payment_conflicts (status, first_seen_at desc, id desc);
create index payment_conflicts_by_reference on payment_service.payment_conflicts (reference_number);

-- Records a batch: for each payment its reference, the payment and its message for the log, or the payment that
-- holds the reference already. One row comes back per position (from 1), in input order:
--   created    this call recorded it
--   duplicate  the reference is taken by a payment with the same facts; payment_id is that payment's
--   conflict   the reference is taken by a payment with other facts; this version is kept as conflict_id
-- Volatile on purpose: the losers of a race are read by a second statement, whose snapshot sees the winner. Rows
-- are written in the order of their identity, as by every writer, so that two batches cannot deadlock.
-- `linked_payment_ids` is null but for accepted conflicts.
create function payment_service.record_payments(
  ids uuid[], event_ids uuid[], namespaces text[], reference_numbers text[], loan_account_numbers text[], cifs text[],
  amounts numeric[], currencies text[], payment_dates timestamptz[], paid_ons date[], payment_channels text[],
  metadatas text[], linked_payment_ids uuid[], new_source text, new_actor text
) returns table ("position" int, outcome text, payment_id uuid, conflict_id uuid)
language plpgsql volatile security definer set search_path = payment_service, pg_temp as $$
#variable_conflict use_column
declare
  won int[];
  answered int;
begin
  if exists (select from unnest(amounts, currencies) as a(amount, currency)
             where a.amount <> round(a.amount, currency_exponent(a.currency))) then
    raise exception 'an amount has more decimals than its currency' using errcode = 'check_violation';
  end if;

  with input as materialized (
    select * from unnest(ids, event_ids, namespaces, reference_numbers, loan_account_numbers, cifs, amounts, currencies,
                         payment_dates, paid_ons, payment_channels, metadatas, linked_payment_ids) with ordinality
      as i(id, event_id, namespace, reference_number, loan_account_number, cif, amount, currency,
           payment_date, paid_on, payment_channel, metadata, linked_payment_id, n)
  ), candidate as (
    select distinct on (namespace, reference_number) * from input order by namespace, reference_number, n
  ), reference as (
    insert into payment_references (namespace, reference_number, payment_id, payment_date, amount, currency, loan_account_number, paid_on)
    select namespace, reference_number, id, payment_date, amount, currency, loan_account_number, paid_on
    from candidate order by namespace, reference_number
    -- No target: a racing copy of the payment also meets payment_id's unique index, where a target would make it an error.
    on conflict do nothing
    returning payment_id
  ), winner as materialized (
    select c.* from candidate c join reference r on r.payment_id = c.id
  ), payment as (
    insert into payments (id, namespace, reference_number, loan_account_number, cif, amount, currency, payment_date, paid_on,
                          payment_channel, source, metadata, linked_payment_id, event_id, actor)
    select id, namespace, reference_number, loan_account_number, cif, amount, currency, payment_date, paid_on,
           payment_channel, new_source, metadata::jsonb, linked_payment_id, event_id, new_actor
    from winner
  ), message as (
    insert into outbox.messages (destination, topic, key, event_id, payload)
    select 'log', 'payment.events', loan_account_number, event_id, json_build_object(
      'event_id', event_id,
      'event_type', 'payment.recorded',
      'timestamp', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'payment', json_build_object(
        'id', id,
        'reference_number', reference_number,
        'loan_account_number', loan_account_number,
        'cif', cif,
        'amount', round(amount, currency_exponent(currency)),
        'currency', currency,
        'payment_date', to_char(payment_date at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'payment_channel', payment_channel,
        'source', new_source,
        'metadata', metadata::json
      ))::text
    from winner order by n
  )
  select coalesce(array_agg(n::int), '{}') into won from winner;

  if cardinality(won) = cardinality(ids) then
    return query select n, 'created', ids[n], null::uuid from generate_subscripts(ids, 1) as n;
    return;
  end if;

  -- The versions that differ from the payment holding their reference, each kept once. A version that staff
  -- accepted is a payment of its own, so meeting it again is a duplicate of that one.
  insert into payment_conflicts as known (payment_id, namespace, reference_number, loan_account_number, cif, amount, currency,
                                          payment_date, paid_on, payment_channel, source, metadata, actor)
  select distinct on (r.payment_id, amounts[n], currencies[n], loan_account_numbers[n], paid_ons[n])
         r.payment_id, namespaces[n], reference_numbers[n], loan_account_numbers[n], cifs[n], amounts[n], currencies[n],
         payment_dates[n], paid_ons[n], payment_channels[n], new_source, metadatas[n]::jsonb, new_actor
  from generate_subscripts(ids, 1) as n
  join payment_references r on r.namespace = namespaces[n] and r.reference_number = reference_numbers[n]
  where not (n = any (won))
    and (r.amount, r.currency, r.loan_account_number, r.paid_on)
        is distinct from (amounts[n], currencies[n], loan_account_numbers[n], paid_ons[n])
  order by r.payment_id, amounts[n], currencies[n], loan_account_numbers[n], paid_ons[n], n
  on conflict on constraint one_row_per_version
    do update set times_seen = known.times_seen + 1, last_seen_at = now();

  return query
  select n,
         case when n = any (won) then 'created'
              when c.id is null or c.status = 'accepted' then 'duplicate'
              else 'conflict' end,
         coalesce(c.accepted_payment_id, r.payment_id),
         case when c.status <> 'accepted' then c.id end
  from generate_subscripts(ids, 1) as n
  join payment_references r on r.namespace = namespaces[n] and r.reference_number = reference_numbers[n]
  left join payment_conflicts c
    on c.payment_id = r.payment_id and c.amount = amounts[n] and c.currency = currencies[n]
   and c.loan_account_number = loan_account_numbers[n] and c.paid_on = paid_ons[n]
  order by n;
  get diagnostics answered = row_count;
  if answered <> cardinality(ids) then
    raise exception 'a payment id belongs to another reference' using errcode = 'unique_violation';
  end if;
end $$;

-- Accepts a conflict: its version becomes a payment of its own, linked to the first, in a namespace of its own
-- named by the conflict. `new_id` and `new_event_id` follow from that identity. Answers the conflict's status
-- before the call: 'open' means this call decided it; null means there is none. Asked twice, it changes nothing.
create function payment_service.accept_conflict(conflict uuid, new_id uuid, new_event_id uuid, why text, new_actor text)
returns table (status_before text, accepted_payment_id uuid)
language plpgsql volatile security definer set search_path = payment_service, pg_temp as $$
#variable_conflict use_column
declare
  c payment_conflicts;
begin
  select * into c from payment_conflicts where id = conflict for update;
  if not found then return; end if;
  if c.status = 'open' then
    perform record_payments(array[new_id], array[new_event_id], array['conflict:' || c.id], array[c.reference_number::text],
      array[c.loan_account_number::text], array[c.cif::text], array[c.amount], array[c.currency::text], array[c.payment_date],
      array[c.paid_on], array[c.payment_channel::text], array[c.metadata::text], array[c.payment_id], c.source, new_actor);
    update payment_conflicts set status = 'accepted', decided_by = new_actor, decided_at = now(), reason = why, accepted_payment_id = new_id
    where id = conflict;
    return query select c.status, new_id;
  else
    return query select c.status, c.accepted_payment_id;
  end if;
end $$;

-- Dismisses a conflict with a reason; same answer as above.
create function payment_service.dismiss_conflict(conflict uuid, why text, new_actor text)
returns table (status_before text)
language plpgsql volatile security definer set search_path = payment_service, pg_temp as $$
declare
  before text;
begin
  select c.status into before from payment_conflicts c where c.id = conflict for update;
  if not found then return; end if;
  if before = 'open' then
    update payment_conflicts set status = 'dismissed', decided_by = new_actor, decided_at = now(), reason = why where id = conflict;
  end if;
  return query select before;
end $$;
revoke all on all functions in schema payment_service from public;
grant execute on function payment_service.record_payments to recoup_webhooks;
grant execute on function payment_service.accept_conflict, payment_service.dismiss_conflict, payment_service.currency_exponent to recoup_api;
grant select on payment_service.payments, payment_service.payment_references, payment_service.payment_conflicts to recoup_api;

-- Staging (filled by an ETL) and the log of its runs -----------------------------------------------------------
create table public.payment_staging (
  id bigserial primary key,
  reference_number varchar(255) not null,
  loan_account_number varchar(20) not null,
  cif varchar(20) not null,
  amount numeric not null,
  payment_date timestamp not null,
  payment_channel varchar(100),
  metadata jsonb,
  processed boolean default false,
  processed_at timestamp,
  created_at timestamp default now()
);
create index payment_staging_pending on public.payment_staging (id) where processed is not true;
grant select on public.payment_staging to recoup_api;

create table payment_service.staging_process_log (
  id uuid primary key default gen_random_uuid(),
  batch_start_id bigint not null,
  batch_end_id bigint not null,
  total_records integer not null,
  processed_records integer default 0,
  duplicate_records integer default 0,
  error_records integer default 0,
  status varchar(50) default 'processing' check (status in ('processing', 'completed', 'failed')),
  started_at timestamptz default now(),
  completed_at timestamptz,
  error_details jsonb
);
grant select on payment_service.staging_process_log to recoup_api;

-- Staff and services -------------------------------------------------------------------------------------------
-- An API key is `rk_<prefix>_<secret>`; the hash is SHA-256 of the whole (the secret has 256 random bits).
create table staff.api_keys (
  id uuid primary key default gen_random_uuid(),
  prefix text not null unique,
  hash bytea not null unique,
  name text not null,
  scopes text[] not null check (cardinality(scopes) > 0),
  actor text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  revoked_by text
);
grant select on staff.api_keys to recoup_api, recoup_auth;

-- Operations ---------------------------------------------------------------------------------------------------
-- Each container says every few seconds that it lives and how it is; health reads it.
create table operations.heartbeats (
  process text not null,
  instance text not null,
  healthy boolean not null,
  detail jsonb not null,
  beat_at timestamptz not null default now(),
  primary key (process, instance)
);
grant select on operations.heartbeats to recoup_api;
grant select, insert, update, delete on operations.heartbeats to recoup_publisher;
