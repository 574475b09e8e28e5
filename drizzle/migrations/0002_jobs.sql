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
