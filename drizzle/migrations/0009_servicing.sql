-- Servicing: what other systems' events tell about customers, loans and conversations, projected for staff. Events are
-- kept for good in `events`, and every projection can be folded anew from them. `state` is what a fold needs to know to
-- take further events in any order; the columns beside it follow from it.
do $$
begin
  execute 'create role recoup_projector nologin';
exception when duplicate_object or unique_violation then null;
end $$;

create schema servicing;

-- The deduplication: an event whose id is here has had its effect. Written in the transaction of that effect, never purged.
-- The hash tells a repetition from another event under the same id.
create table servicing.event_ids (
  event_id text primary key,
  payload_hash uuid not null
);

-- The archive, append-only. `facts` are the payload's fields that name nobody; `sealed` is the whole event, encrypted
-- with the key of its subject, null when that subject was erased before. `aggregate` is what the event is folded into, `related` others
-- that it also tells about. `version` orders the events of an aggregate: the sender's time, then the event id.
create table servicing.events (
  event_id text not null,
  type text not null,
  aggregate text collate "C" not null,
  related text[],
  subject text not null,
  version text collate "C" not null,
  occurred_at timestamptz,
  source text not null,
  facts json not null,
  sealed bytea,
  archived_at timestamptz not null default now()
) partition by range (archived_at);
create index events_by_aggregate on servicing.events (aggregate);
create index events_by_related on servicing.events using gin (related) with (fastupdate = off)
  where related is not null;
create index events_by_subject on servicing.events (subject, occurred_at desc);
create table servicing.events_default partition of servicing.events default;

-- This month and the coming ones get their partitions. What was archived while a month had none lies in the default
-- partition, and is moved; whoever archives waits meanwhile.
create function servicing.ensure_partitions(months_ahead int) returns int
language plpgsql volatile security definer set search_path = servicing, pg_temp as $$
declare
  from_at timestamptz;
  to_at timestamptz;
  partition_name text;
  created int := 0;
begin
  for n in 0..months_ahead loop
    from_at := date_trunc('month', now() at time zone 'UTC' + make_interval(months => n)) at time zone 'UTC';
    to_at := (from_at at time zone 'UTC' + interval '1 month') at time zone 'UTC';
    partition_name := to_char(from_at at time zone 'UTC', '"events_"YYYY_MM');
    continue when to_regclass('servicing.' || quote_ident(partition_name)) is not null;
    lock table events in access exclusive mode;
    execute format('create table %I (like events including defaults)', partition_name);
    execute format('with moved as (delete from events_default where archived_at >= %L and archived_at < %L returning *)
      insert into %I select * from moved', from_at, to_at, partition_name);
    execute format('alter table events attach partition %I for values from (%L) to (%L)', partition_name, from_at, to_at);
    created := created + 1;
  end loop;
  return created;
end $$;

-- Keys of subjects (`customer:ID`, `conversation:ID`, `account:ID`), wrapped by the master key that `master` names. Erased: the key is gone and
-- `erased_at` stays, so that nothing personal of that subject is kept again.
create table servicing.subject_keys (
  subject text primary key,
  master text,
  wrapped bytea,
  erased_at timestamptz,
  constraint erased_has_no_key check ((wrapped is null) = (erased_at is not null) and (master is null) = (wrapped is null))
);

-- What came over HTTP, or is replayed from the dead letters, and waits to be folded. Taken by moving `claimed_until` into the future.
create table servicing.inbox (
  position bigint generated always as identity primary key,
  event_id text unique,
  payload_hash uuid,
  fields jsonb not null,
  source text not null,
  claimed_until timestamptz not null default '-infinity',
  received_at timestamptz not null default now()
);
create index inbox_waiting on servicing.inbox (claimed_until, position);

-- Attempts at events that cannot be folded, counted here so that a process that dies over one does not begin to count anew.
create table servicing.fold_attempts (
  source text not null,
  entry_id text not null,
  attempts int not null,
  last_error text not null,
  tried_at timestamptz not null default now(),
  primary key (source, entry_id)
);

-- What cannot be read or folded, whole, until somebody replays or discards it.
create table servicing.dead_letters (
  id uuid primary key default gen_random_uuid(),
  source text not null,
  entry_id text not null,
  event_id text,
  type text,
  fields jsonb not null,
  reason text not null,
  stack text,
  status text not null default 'waiting' check (status in ('waiting', 'replayed', 'discarded')),
  decided_by text,
  decided_reason text,
  decided_at timestamptz,
  buried_at timestamptz not null default now(),
  constraint one_letter_per_entry unique (source, entry_id),
  constraint decided_has_time check ((status = 'waiting') = (decided_at is null) and (status = 'waiting') = (decided_by is null)),
  constraint discarded_says_why check (status <> 'discarded' or decided_reason is not null)
);
create index dead_letters_newest on servicing.dead_letters (buried_at desc, id desc);
create index dead_letters_waiting on servicing.dead_letters (buried_at desc, id desc) where status = 'waiting';

-- Any name of a customer or a loan, and what it means: `target` is `customer:ID` or `account:ID`. When several say they
-- have a name, the one with the highest version is meant.
create table servicing.identifiers (
  target text not null,
  kind text not null,
  value text not null,
  version text collate "C" not null,
  primary key (target, kind, value)
);
create index identifiers_by_value on servicing.identifiers (value, kind);

create table servicing.customers (
  customer_id text primary key,
  state json not null,
  first_name text,
  last_name text,
  full_name text,
  email_address text,
  mobile_phone_number text,
  phone_digits text,
  date_of_birth text,
  ekyc_status text,
  verified boolean not null,
  verified_at timestamptz,
  residential_address jsonb,
  mailing_address jsonb,
  merged_into text,
  merged_version text collate "C"
);
create index customers_by_name on servicing.customers (lower(full_name) text_pattern_ops);
create index customers_by_last_name on servicing.customers (lower(last_name) text_pattern_ops);
create index customers_by_email on servicing.customers (lower(email_address) text_pattern_ops);
create index customers_by_phone on servicing.customers (phone_digits text_pattern_ops);
create index customers_merged on servicing.customers (merged_into) where merged_into is not null;

-- Who a customer is after all merges. In a circle the merge that is oldest does not count.
create function servicing.surviving_customer(given text) returns text
language plpgsql stable parallel safe set search_path = servicing, pg_temp as $$
declare
  at text := given;
  seen text[] := array[given];
  into_id text;
begin
  loop
    select merged_into into into_id from customers where customer_id = at;
    exit when into_id is null;
    if into_id = any (seen) then
      select customer_id into at from customers
      where customer_id = any (seen[array_position(seen, into_id):]) order by merged_version collate "C" limit 1;
      exit;
    end if;
    seen := seen || into_id;
    at := into_id;
  end loop;
  return at;
end $$;

-- All that are the same customer after all merges, the survivor included.
create function servicing.same_customers(given text) returns setof text
language sql stable parallel safe set search_path = servicing, pg_temp as $$
  with recursive survivor (id) as (select surviving_customer(given)),
  merged (id) as (
    select id from survivor
    union
    select c.customer_id from merged m join customers c on c.merged_into = m.id
  )
  select id from merged
$$;

create table servicing.loan_accounts (
  account_id text primary key,
  state json not null,
  account_number text,
  customer_id text,
  application_number text,
  status text,
  currency text,
  loan_amount numeric(19, 4),
  loan_fee numeric(19, 4),
  loan_total_payable numeric(19, 4),
  current_balance numeric(19, 4),
  opened_at timestamptz,
  last_payment_at timestamptz,
  last_payment_amount numeric(19, 4),
  days_past_due int,
  aging_bucket text,
  arrears_amount numeric(19, 4),
  closed_at timestamptz,
  closure_reason text
);
create index loan_accounts_by_customer on servicing.loan_accounts (customer_id);
create index loan_accounts_by_number on servicing.loan_accounts (account_number);

create table servicing.loan_borrowers (
  account_id text not null,
  customer_id text not null,
  role text not null,
  primary key (account_id, customer_id)
);
create index loan_borrowers_by_customer on servicing.loan_borrowers (customer_id);

create table servicing.repayment_schedules (
  schedule_id text primary key,
  state json not null,
  account_id text,
  currency text,
  loan_amount numeric(19, 4),
  total_amount numeric(19, 4),
  fee numeric(19, 4),
  n_payments int,
  payment_frequency text,
  scheduled_at timestamptz,
  version text collate "C" not null
);
create index repayment_schedules_by_account on servicing.repayment_schedules (account_id);

create table servicing.instalments (
  schedule_id text not null,
  payment_number int not null,
  due_on date,
  amount numeric(19, 4),
  status text,
  paid_amount numeric(19, 4),
  primary key (schedule_id, payment_number)
);

-- Payments as the account's system plans and processes them.
create table servicing.account_payments (
  payment_key text primary key,
  state json not null,
  account_id text,
  schedule_id text,
  payment_number int,
  currency text,
  amount numeric(19, 4),
  scheduled_on date,
  processed_at timestamptz,
  status text
);
create index account_payments_by_account on servicing.account_payments (account_id);

-- Payments as our own log tells them, by the loan account number they were sent with.
create table servicing.received_payments (
  payment_id text primary key,
  state json not null,
  loan_account_number text,
  reference_number text,
  cif text,
  currency text,
  amount numeric(19, 4),
  reversed numeric(19, 4) not null,
  paid_at timestamptz,
  paid_on date
);
create index received_payments_by_loan on servicing.received_payments (loan_account_number, paid_at desc);

create table servicing.applications (
  application_number text primary key,
  state json not null,
  customer_id text,
  conversation_id text,
  account_id text,
  status text,
  currency text,
  loan_amount numeric(19, 4),
  loan_purpose text,
  submitted_at timestamptz,
  decision text,
  decided_at timestamptz
);
create index applications_by_customer on servicing.applications (customer_id);

create table servicing.conversations (
  conversation_id text primary key,
  state json not null,
  customer_id text,
  application_number text,
  account_id text,
  status text,
  channel text,
  started_at timestamptz,
  last_message_at timestamptz,
  summary text,
  decision text,
  decided_at timestamptz
);
create index conversations_by_customer on servicing.conversations (customer_id);

-- What was said and found in a conversation, in the order (said_at, event_id). Erased: content and detail are null.
create table servicing.conversation_entries (
  conversation_id text not null,
  event_id text not null,
  kind text not null,
  version text collate "C" not null,
  said_at timestamptz,
  author text,
  content text,
  detail jsonb,
  primary key (conversation_id, event_id)
);

create table servicing.notifications (
  notification_id text primary key,
  state json not null,
  customer_id text,
  account_id text,
  kind text,
  channel text,
  template text,
  status text,
  sent_at timestamptz,
  failed_at timestamptz,
  failure text,
  recipient text
);
create index notifications_by_customer on servicing.notifications (customer_id);
create index notifications_by_account on servicing.notifications (account_id);

create table servicing.statements (
  statement_id text primary key,
  state json not null,
  customer_id text,
  account_id text,
  period_start date,
  period_end date,
  generated_at timestamptz,
  document_ref text
);
create index statements_by_account on servicing.statements (account_id);

create table servicing.approvals (
  request_id text primary key,
  state json not null,
  kind text,
  account_id text,
  customer_id text,
  status text,
  currency text,
  amount numeric(19, 4),
  reason text,
  requested_by text,
  requested_at timestamptz,
  decided_by text,
  decided_at timestamptz,
  decision_note text
);
create index approvals_by_account on servicing.approvals (account_id);

create table servicing.collection_cases (
  case_id text primary key,
  state json not null,
  account_id text,
  customer_id text,
  status text,
  step int,
  stop_contact boolean not null,
  opened_at timestamptz,
  closed_at timestamptz,
  reason text
);
create index collection_cases_by_account on servicing.collection_cases (account_id);

-- How far a rebuild has come: stopped, it goes on after `done_up_to`.
create table servicing.rebuilds (
  projection text primary key,
  done_up_to text,
  aggregates bigint not null default 0,
  events bigint not null default 0,
  started_at timestamptz not null default now(),
  finished_at timestamptz
);

-- Who had whom erased, when and why; kept.
create table servicing.erasures (
  id uuid primary key default gen_random_uuid(),
  customer_id text not null,
  subjects int not null,
  events int not null,
  reason text not null,
  requested_by text not null,
  erased_at timestamptz not null default now()
);

select servicing.ensure_partitions(3);
revoke all on function servicing.ensure_partitions, servicing.surviving_customer, servicing.same_customers from public;

grant usage on schema servicing, operations to recoup_projector;
grant execute on function servicing.surviving_customer, servicing.same_customers to recoup_projector;
grant usage on schema servicing to recoup_ingest;
grant execute on function servicing.ensure_partitions to recoup_ingest;
grant select, insert, update, delete on operations.heartbeats to recoup_projector;
grant select, insert on servicing.event_ids, servicing.events, servicing.subject_keys, servicing.dead_letters to recoup_projector;
grant select, insert, update, delete on
  servicing.fold_attempts, servicing.identifiers, servicing.customers, servicing.loan_accounts, servicing.loan_borrowers,
  servicing.repayment_schedules, servicing.instalments, servicing.account_payments, servicing.received_payments,
  servicing.applications, servicing.conversations, servicing.conversation_entries, servicing.notifications,
  servicing.statements, servicing.approvals, servicing.collection_cases
  to recoup_projector;
grant select, update, delete on servicing.inbox to recoup_projector;

grant usage on schema servicing to recoup_api;
grant execute on function servicing.surviving_customer, servicing.same_customers to recoup_api;
grant select on
  servicing.inbox, servicing.dead_letters, servicing.identifiers, servicing.customers, servicing.loan_accounts,
  servicing.loan_borrowers, servicing.repayment_schedules, servicing.instalments, servicing.account_payments,
  servicing.received_payments, servicing.applications, servicing.conversations, servicing.conversation_entries,
  servicing.notifications, servicing.statements, servicing.approvals, servicing.collection_cases
  to recoup_api;
grant select (event_id, type, aggregate, related, subject, version, occurred_at, source, facts, archived_at)
  on servicing.events to recoup_api;
grant select (subject, erased_at) on servicing.subject_keys to recoup_api;
