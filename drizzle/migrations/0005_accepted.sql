-- What was accepted while the database was away comes in through `drain`. What it cannot record is kept here, whole,
-- with the reason; `replayed_at` says when somebody put it back into the stream.
do $$
begin
  execute 'create role recoup_drain nologin';
exception when duplicate_object or unique_violation then null;
end $$;

create table payment_service.buried_arrivals (
  stream text not null,
  entry_id text not null,
  arrival text not null,
  reason text not null,
  buried_at timestamptz not null default now(),
  replayed_at timestamptz,
  primary key (stream, entry_id)
);
create index buried_arrivals_waiting on payment_service.buried_arrivals (buried_at) where replayed_at is null;

grant usage on schema payment_service, operations to recoup_drain;
grant execute on function payment_service.record_payments, payment_service.reverse_payments, payment_service.record_failures,
  payment_service.keep_notices
  to recoup_drain;
grant select, insert on payment_service.buried_arrivals to recoup_drain;
grant select, insert, update, delete on operations.heartbeats to recoup_drain;
