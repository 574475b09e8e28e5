-- Messages that their destination will never take, set aside by the relay in the transaction that took them from
-- outbox.messages, so that they hold up nothing. They stay until somebody decides: docs/operate.md says how.
create table outbox.undeliverable (
  destination text not null,
  position bigint not null,
  topic text not null,
  key text not null,
  event_id uuid not null,
  payload text not null,
  reason text not null,
  set_aside_at timestamptz not null default now(),
  primary key (destination, position)
);
grant select on outbox.undeliverable to recoup_api;
grant select, insert on outbox.undeliverable to recoup_publisher;
