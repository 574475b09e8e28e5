-- Jobs: what containers/ingest does now and then, and a row for each time it did.
do $$
begin
  create role recoup_ingest nologin;
exception when duplicate_object or unique_violation then null;
end $$;
grant usage on schema operations, payment_service to recoup_ingest;
grant select, insert, update, delete on operations.heartbeats to recoup_ingest;

-- A run is asked for (`requested`) or begins by itself at its time. It runs while its process holds the job's lock;
-- found `running` by the next holder, its process has died: `abandoned`.
create table operations.job_runs (
  id uuid primary key default gen_random_uuid(),
  job text not null,
  status text not null default 'requested' check (status in ('requested', 'running', 'succeeded', 'failed', 'abandoned')),
  requested_by text,
  requested_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  instance text,
  detail jsonb not null default '{}',
  error text,
  constraint request_is_whole check ((requested_by is null) = (requested_at is null)),
  constraint waiting_was_requested check (status <> 'requested' or (requested_by is not null and started_at is null)),
  constraint started_by_somebody check (status = 'requested' or (started_at is not null and instance is not null)),
  constraint ended_has_time check ((status in ('succeeded', 'failed', 'abandoned')) = (finished_at is not null)),
  constraint failed_has_error check ((status in ('failed', 'abandoned')) = (error is not null))
);
create unique index one_waiting_request_per_job on operations.job_runs (job) where status = 'requested';
create index job_runs_newest on operations.job_runs (job, started_at desc);
create index job_runs_ended on operations.job_runs (finished_at);
grant select, insert, update, delete on operations.job_runs to recoup_ingest;
grant select, insert (job, requested_by, requested_at) on operations.job_runs to recoup_api;

-- Cleanup -----------------------------------------------------------------------------------------------------
create index staging_process_log_completed on payment_service.staging_process_log (completed_at) where status = 'completed';
grant select, delete on payment_service.staging_process_log to recoup_ingest;

-- The months of the payments table ---------------------------------------------------------------------------
-- A month is a UTC month, named by its first day. Rows of a month without a partition lie in the default partition.
create view payment_service.payment_months as
  select to_date(substr(c.relname, 10), 'YYYY_MM') as month, c.relname::text as table_name
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'payment_service.payments'::regclass and c.relname ~ '^payments_\d{4}_\d{2}$';
grant select on payment_service.payment_months to recoup_ingest, recoup_api;
grant select on payment_service.payments_default to recoup_api;

-- Each month that was exported and dropped, as often as it was: payments that come late for a month that is gone make
-- it anew, and then it goes again. `name` is the folder that holds it.
create table payment_service.exported_months (
  name text primary key,
  month date not null,
  rows bigint not null,
  digest text not null,
  dropped_at timestamptz not null default now()
);
create index exported_months_of_month on payment_service.exported_months (month);
grant select on payment_service.exported_months to recoup_ingest;

-- The months that need a partition: this one and the coming ones at `as_of`, and any from 1970 to 2099 that has rows in
-- the default partition. Other rows there have dates that nobody meant; they are found where they are. This month and
-- the coming ones come first, so that no heap of odd months keeps them waiting.
create function payment_service.months_to_add(as_of timestamptz, months_ahead int) returns table (month date, has_rows boolean)
language sql stable security definer set search_path = payment_service, pg_temp as $$
  with expected as (
    select generate_series(first_month, first_month + make_interval(months => months_ahead), interval '1 month')::date as month
    from date_trunc('month', as_of at time zone 'UTC') as first_month
  ), found as (
    select distinct date_trunc('month', payment_date at time zone 'UTC')::date as month from payments_default
    where payment_date >= '1970-01-01 00:00:00+00' and payment_date < '2100-01-01 00:00:00+00'
  )
  select wanted.month, bool_or(wanted.turn = 2)
  from (select month, 1 as turn from expected union all select month, 2 from found) as wanted
  where not exists (select from payment_months m where m.month = wanted.month)
  group by wanted.month
  order by min(wanted.turn), wanted.month
$$;

-- Prepares the table of a month whose rows lie in the default partition: copies the next `most` of them, after the one
-- named or, without it, from the first into a new table. Nobody sees the copies, nobody waits for it. Answers the last
-- row copied, or none when there is no further one.
create function payment_service.copy_month(which date, after_id uuid, after_date timestamptz, most int, lock_timeout_ms int)
returns table (id uuid, payment_date text)
language plpgsql volatile security definer set search_path = payment_service, pg_temp set timezone = 'UTC' as $$
declare
  first_day date := date_trunc('month', which)::date;
  copy_name text := 'moving_' || to_char(first_day, 'YYYY_MM');
begin
  perform set_config('lock_timeout', lock_timeout_ms::text, true);
  if after_id is null then
    -- Of two processes that both believe to be the only one, neither takes the other's copies for a month.
    lock table payments in share update exclusive mode;
    if exists (select from payment_months m where m.month = first_day) then return; end if;
    execute format('drop table if exists %I', copy_name);
    execute format('create table %I (like payments including all)', copy_name);
  end if;
  return query execute format(
    'with batch as materialized (
       select * from payments_default p
       where p.payment_date >= $1 and p.payment_date < $2 and ($3 is null or (p.id, p.payment_date) > ($3, $4))
       order by p.id, p.payment_date limit $5
     ), copied as (insert into %I select * from batch on conflict do nothing)
     select batch.id, batch.payment_date::text from batch order by batch.id desc, batch.payment_date desc limit 1', copy_name)
  using first_day::timestamp at time zone 'UTC', (first_day + interval '1 month')::timestamp at time zone 'UTC', after_id, after_date, most;
  if not found then execute format('analyze %I', copy_name); end if;
end $$;

-- Gives a month its partition and moves its rows out of the default partition; answers how many, or null when the month
-- has its partition already. With `copied` most of them are in the table that copy_month made, and only what has changed
-- since is copied here. Whoever writes payments waits meanwhile: a writer that had chosen the default partition before
-- would be refused after. Waits for locks no longer than told, then 55P03 and nothing is changed; it is all one
-- transaction. A table that has the month's name and is no partition is somebody's: then it fails.
create function payment_service.add_month(which date, copied boolean, lock_timeout_ms int) returns bigint
-- Nothing is known of a new table's rows yet, and a look into its index for each row would take twice as long.
language plpgsql volatile security definer set search_path = payment_service, pg_temp set enable_nestloop = off set work_mem = '64MB' as $$
declare
  first_day date := date_trunc('month', which)::date;
  table_name text := 'payments_' || to_char(first_day, 'YYYY_MM');
  copy_name text := 'moving_' || to_char(first_day, 'YYYY_MM');
  from_at timestamptz := first_day::timestamp at time zone 'UTC';
  to_at timestamptz := (first_day + interval '1 month')::timestamp at time zone 'UTC';
  moved bigint;
begin
  perform set_config('lock_timeout', lock_timeout_ms::text, true);
  lock table payments in share row exclusive mode;
  if exists (select from payment_months m where m.month = first_day) then return null; end if;
  if copied then
    execute format('delete from %I c where not exists (
      select from payments_default d where d.id = c.id and d.payment_date = c.payment_date and row(d.*) is not distinct from row(c.*))', copy_name);
    execute format('alter table %I rename to %I', copy_name, table_name);
  else
    execute format('create table %I (like payments including all)', table_name);
  end if;
  execute format('insert into %1$I select * from payments_default d where payment_date >= %2$L and payment_date < %3$L
    and not exists (select from %1$I c where c.id = d.id and c.payment_date = d.payment_date)', table_name, from_at, to_at);
  delete from payments_default where payment_date >= from_at and payment_date < to_at;
  get diagnostics moved = row_count;
  execute format('alter table payments attach partition %I for values from (%L) to (%L)', table_name, from_at, to_at);
  return moved;
end $$;

-- A payment as a line of an export: a JSON object with every column, numbers as texts with all their digits, instants
-- in UTC. The expression is made from the table's columns as they are now; `p` is the row.
create function payment_service.payment_line() returns text
language sql stable security definer set search_path = payment_service, pg_temp as $$
  select 'json_build_object(' || string_agg(
    format('%L, p.%I%s', attname, attname, case when atttypid in ('numeric'::regtype, 'bigint'::regtype) then '::text' else '' end),
    ', ' order by attnum) || ')::text'
  from pg_attribute
  where attrelid = 'payments'::regclass and attnum > 0 and not attisdropped
$$;

-- What an export's manifest says of the table: its columns, and the latest migration it has seen.
create function payment_service.payment_columns() returns table (name text, type text)
language sql stable security definer set search_path = payment_service, pg_temp as $$
  select attname::text, format_type(atttypid, atttypmod)
  from pg_attribute
  where attrelid = 'payments'::regclass and attnum > 0 and not attisdropped
  order by attnum
$$;
create function payment_service.schema_version() returns bigint
language sql stable security definer set search_path = payment_service, pg_temp as $$
  select max(created_at) from drizzle.__drizzle_migrations
$$;

-- The payments of a month after the one named, in the order of id and date, as lines, each with its hash.
create function payment_service.export_payments(which date, after_id uuid, after_date timestamptz, most int)
returns table (id uuid, payment_date text, line text, hash bigint, amount text, currency text)
language plpgsql stable security definer set search_path = payment_service, pg_temp set timezone = 'UTC' as $$
begin
  return query execute format(
    'select l.id, l.payment_date::text, l.line, hashtextextended(l.line, 0), l.amount::text, l.currency::text
     from (select p.id, p.payment_date, p.amount, p.currency, %s as line from payments p
           where p.payment_date >= $1 and p.payment_date < $2 and (p.id, p.payment_date) > ($3, $4)
           order by p.id, p.payment_date limit $5) as l', payment_line())
  using which::timestamp at time zone 'UTC', (which + interval '1 month')::timestamp at time zone 'UTC', after_id, after_date, most;
end $$;

-- Drops a month whose rows have been exported: only when they are exactly those that the export has, which is found out
-- while nobody can write to them. Answers `dropped`, `changed` when the rows are others, `gone` when there is no such
-- month. `digest` is the sum of the lines' hashes.
create function payment_service.drop_month(which date, export_name text, export_rows bigint, export_digest text, lock_timeout_ms int)
returns text
language plpgsql volatile security definer set search_path = payment_service, pg_temp set timezone = 'UTC' as $$
declare
  table_name text := (select m.table_name from payment_months m where m.month = which);
  rows_now bigint;
  digest_now text;
begin
  if table_name is null then return 'gone'; end if;
  perform set_config('lock_timeout', lock_timeout_ms::text, true);
  execute format('lock table %I in share mode', table_name);
  execute format('select count(*), coalesce(sum(hashtextextended(%s, 0)), 0)::text from %I p', payment_line(), table_name)
    into rows_now, digest_now;
  if rows_now <> export_rows or digest_now <> export_digest then return 'changed'; end if;
  execute format('alter table payments detach partition %I', table_name);
  execute format('drop table %I', table_name);
  insert into exported_months (name, month, rows, digest) values (export_name, which, rows_now, digest_now);
  return 'dropped';
end $$;

revoke all on function payment_service.months_to_add, payment_service.copy_month, payment_service.add_month, payment_service.payment_line,
  payment_service.payment_columns, payment_service.schema_version, payment_service.export_payments,
  payment_service.drop_month from public;
grant execute on function payment_service.months_to_add, payment_service.copy_month, payment_service.add_month, payment_service.payment_columns,
  payment_service.schema_version, payment_service.export_payments, payment_service.drop_month to recoup_ingest;
