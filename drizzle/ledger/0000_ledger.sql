-- The reference ledger, in a database of its own. Money is what the transfers say: they are only ever added to, each is
-- balanced, and everything else here (positions, what is paid of instalments, agings) follows from them.

do $$ begin
  create role recoup_ledger nologin;
exception when duplicate_object or unique_violation then null;
end $$;

create schema ledger;
grant usage on schema ledger to recoup_ledger;

create function ledger.refuse_change() returns trigger
language plpgsql as $$
begin
  raise exception 'the ledger is only ever added to' using errcode = 'insufficient_privilege';
end $$;

-- ISO 4217 minor units; the list in shared/money.ts is the same, a test compares them.
create function ledger.currency_exponent(currency text) returns int
language sql immutable parallel safe as $$
  select case
    when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') then 0
    when currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 3
    when currency in ('CLF', 'UYW') then 4
    else 2
  end
$$;

-- Minor units of one major unit. Numeric: the power of two integers would be a double.
create function ledger.minor_units(currency text) returns numeric
language sql immutable parallel safe as $$ select ('1e' || ledger.currency_exponent(currency))::numeric $$;

-- Loans ----------------------------------------------------------------------------------------------------------
create table ledger.loans (
  loan_id text primary key check (loan_id <> ''),
  account_number text not null,
  customer_id text not null,
  application_number text not null,
  currency char(3) not null,
  principal numeric(19, 4) not null check (principal > 0),
  establishment_fee numeric(19, 4) not null check (establishment_fee >= 0),
  -- Due by schedule, beyond principal and fee.
  scheduled_interest numeric(19, 4) not null check (scheduled_interest >= 0),
  interest_rate_bps int not null check (interest_rate_bps >= 0),
  opened_on date not null,
  product text not null,
  -- UUIDv5 of the key that opened it, and of the terms.
  open_id uuid not null unique,
  terms_hash uuid not null,
  actor text not null,
  opened_at timestamptz not null,
  unique (loan_id, currency)
);
create index loans_by_application on ledger.loans (application_number);
create trigger only_added_to before update or delete or truncate on ledger.loans
  for each statement execute function ledger.refuse_change();
grant select, insert on ledger.loans to recoup_ledger;

-- Transfers ------------------------------------------------------------------------------------------------------
-- A row is a transfer: a column for each account, debit less credit. ledger.entries shows them as rows.
create table ledger.transfers (
  loan_id text not null,
  version bigint not null check (version > 0),
  -- UUIDv5 of the key and of the transfer's place among those of one command: what makes a command happen once.
  id uuid not null unique,
  key text not null,
  request_hash uuid not null,
  kind text not null check (kind in ('disbursement', 'establishment_fee', 'interest', 'repayment', 'late_fee',
    'dishonour_fee', 'fee_waiver', 'write_off', 'adjustment', 'reversal', 'accrual')),
  effective_on date not null,
  recorded_at timestamptz not null,
  currency char(3) not null,
  principal numeric(19, 4) not null,
  interest numeric(19, 4) not null,
  fees numeric(19, 4) not null,
  suspense numeric(19, 4) not null,
  write_off numeric(19, 4) not null,
  recovery numeric(19, 4) not null,
  cash numeric(19, 4) not null,
  income numeric(19, 4) not null,
  principal_after numeric(19, 4) not null check (principal_after >= 0),
  interest_after numeric(19, 4) not null check (interest_after >= 0),
  fees_after numeric(19, 4) not null check (fees_after >= 0),
  suspense_after numeric(19, 4) not null check (suspense_after <= 0),
  -- What it changed of the open charges outside the schedule, and what it paid of what is due by schedule.
  charges numeric(19, 4) not null,
  scheduled numeric(19, 4) not null,
  -- How much of the reversed transfer earlier reversals had taken: two cannot take the same part.
  reverses uuid,
  reverses_kind text,
  reversed_before numeric(19, 4),
  reason text,
  actor text not null,
  payment_id text,
  reference text,
  -- What it says beside, and the instalments as answered.
  details json,
  accrues_on date,
  transaction_id xid8 not null default pg_current_xact_id(),
  primary key (loan_id, version),
  foreign key (loan_id, currency) references ledger.loans (loan_id, currency),
  unique (reverses, reversed_before),
  constraint balanced check (principal + interest + fees + suspense + write_off + recovery + cash + income = 0),
  constraint reversal_of_something check ((kind = 'reversal') = (reverses is not null)
    and (reverses is null) = (reversed_before is null) and (reverses is null) = (reverses_kind is null))
);
create unique index transfers_accrue_once on ledger.transfers (loan_id, accrues_on) where accrues_on is not null;
create index transfers_by_effect on ledger.transfers (loan_id, effective_on);
create trigger only_added_to before update or delete or truncate on ledger.transfers
  for each statement execute function ledger.refuse_change();
grant select, insert on ledger.transfers to recoup_ledger;

create view ledger.entries as
  select t.id as transfer_id, t.loan_id, t.version, t.effective_on, t.currency, e.account, e.amount
  from ledger.transfers t
  cross join lateral (values ('principal', t.principal), ('interest', t.interest), ('fees', t.fees), ('suspense', t.suspense),
    ('write_off', t.write_off), ('recovery', t.recovery), ('cash', t.cash), ('income', t.income)) as e (account, amount)
  where e.amount <> 0;
grant select on ledger.entries to recoup_ledger;

-- Where a loan stands after its last transfer. The row's lock is the loan's lock.
create table ledger.positions (
  loan_id text primary key,
  currency char(3) not null,
  version bigint not null default 0,
  principal numeric(19, 4) not null default 0,
  interest numeric(19, 4) not null default 0,
  fees numeric(19, 4) not null default 0,
  suspense numeric(19, 4) not null default 0,
  write_off numeric(19, 4) not null default 0,
  recovery numeric(19, 4) not null default 0,
  cash numeric(19, 4) not null default 0,
  income numeric(19, 4) not null default 0,
  -- Of principal; 0 before it and after its reversal.
  disbursed numeric(19, 4) not null default 0,
  charges_open numeric(19, 4) not null default 0,
  scheduled_paid numeric(19, 4) not null default 0,
  -- Sum over the closed days of principal (in minor units) x rate (bps); its 3,650,000th part is the interest of them.
  accrual_base numeric not null default 0 check (accrual_base = trunc(accrual_base)),
  -- Of that, what is posted.
  accrued numeric(19, 4) not null default 0,
  closed_on date,
  -- The schedule that holds.
  schedule_id text,
  updated_at timestamptz not null,
  foreign key (loan_id, currency) references ledger.loans (loan_id, currency),
  constraint balanced check (principal + interest + fees + suspense + write_off + recovery + cash + income = 0),
  constraint nothing_below_zero check (principal >= 0 and interest >= 0 and fees >= 0 and suspense <= 0 and recovery <= 0
    and write_off + recovery >= 0 and charges_open between 0 and fees and scheduled_paid >= 0 and disbursed >= 0)
) with (fillfactor = 60);
alter table ledger.positions set (autovacuum_vacuum_scale_factor = 0.02);
grant select, insert, update on ledger.positions to recoup_ledger;

-- Schedules ------------------------------------------------------------------------------------------------------
-- One may come before its loan.
create table ledger.schedules (
  loan_id text not null check (loan_id <> ''),
  schedule_id text not null check (schedule_id <> ''),
  currency char(3) not null,
  made_at timestamptz not null,
  actor text not null,
  recorded_at timestamptz not null,
  primary key (loan_id, schedule_id)
);
create index schedules_by_id on ledger.schedules (schedule_id);
grant select, insert, update on ledger.schedules to recoup_ledger;

create table ledger.instalments (
  loan_id text not null,
  schedule_id text not null,
  number int not null check (number > 0),
  due_on date not null,
  amount numeric(19, 4) not null check (amount > 0),
  paid numeric(19, 4) not null default 0,
  -- When the last of it was paid.
  paid_on date,
  updated_at timestamptz not null,
  primary key (loan_id, schedule_id, number),
  constraint paid_within_amount check (paid between 0 and amount),
  constraint paid_on_when_paid check ((paid = amount) = (paid_on is not null))
) with (fillfactor = 70);
grant select, insert, update, delete on ledger.instalments to recoup_ledger;

-- What events say of loans that were paid out; one may come before its loan.
create table ledger.payouts (
  loan_id text primary key check (loan_id <> ''),
  effective_on date not null,
  told_at timestamptz not null default now()
);
grant select, insert on ledger.payouts to recoup_ledger;

-- Close of day ---------------------------------------------------------------------------------------------------
-- As the last close found it; a row is written when something has changed.
create table ledger.agings (
  loan_id text primary key references ledger.loans (loan_id),
  -- The day whose close has changed it last, and the loan's version then.
  closed_on date not null,
  version bigint not null,
  days_past_due int not null check (days_past_due >= 0),
  bucket text not null,
  -- The bucket before it, and the day whose close found the change.
  previous_bucket text,
  bucket_since date not null,
  overdue_amount numeric(19, 4) not null check (overdue_amount >= 0),
  -- The oldest instalment that is overdue.
  oldest_number int,
  oldest_due_on date,
  closed_at timestamptz not null
) with (fillfactor = 70);
create index agings_by_days on ledger.agings (days_past_due desc, loan_id) where days_past_due > 0;
grant select, insert, update on ledger.agings to recoup_ledger;

create table ledger.closes (
  day date primary key,
  started_at timestamptz not null,
  -- Loans up to here are closed.
  reached text not null default '',
  loans bigint not null default 0,
  accruals bigint not null default 0,
  agings_changed bigint not null default 0,
  finished_at timestamptz
);
grant select, insert, update on ledger.closes to recoup_ledger;

-- Telling --------------------------------------------------------------------------------------------------------
-- The same as in the main database, so that the same relay drains it. The topic is the event's type.
create schema outbox;
grant usage on schema outbox to recoup_ledger;
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
grant select, insert, delete on outbox.messages to recoup_ledger;
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
grant select, insert on outbox.undeliverable to recoup_ledger;

-- Sealing --------------------------------------------------------------------------------------------------------
-- What a statement has added, until it is sealed: written with it, so that a transfer which is neither here nor sealed
-- was put in from behind.
create table ledger.unsealed (
  id bigint generated always as identity primary key,
  transaction_id xid8 not null default pg_current_xact_id(),
  loan_ids text[] not null,
  versions bigint[] not null
);
alter table ledger.unsealed set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
grant select on ledger.unsealed to recoup_ledger;

create function ledger.queue() returns trigger
language plpgsql security definer set search_path = ledger, pg_temp as $$
begin
  insert into unsealed (loan_ids, versions)
  select array_agg(loan_id order by loan_id, version), array_agg(version order by loan_id, version) from new_rows
  having count(*) > 0;
  return null;
end $$;
create trigger queue after insert on ledger.transfers
  referencing new table as new_rows for each statement execute function ledger.queue();

-- A seal is over the transfers of one statement: SHA-256 of each, and of the hash before it and all of these.
create table ledger.seals (
  position bigint primary key check (position > 0),
  loan_ids text[] not null,
  versions bigint[] not null,
  digests bytea not null check (length(digests) = 32 * cardinality(versions)),
  hash bytea not null check (length(hash) = 32),
  sealed_at timestamptz not null default clock_timestamp()
);
create trigger only_added_to before update or delete or truncate on ledger.seals
  for each statement execute function ledger.refuse_change();
grant select on ledger.seals to recoup_ledger;

-- Every column, so that no two transfers have the same text. shared/ledger/seal-store.ts has the same expression: who
-- verifies must not have to trust this one.
create function ledger.canonical(t ledger.transfers) returns text
language sql stable as $$
  select jsonb_build_array(t.loan_id, t.version, t.id, t.key, t.request_hash, t.kind, t.effective_on,
    extract(epoch from t.recorded_at)::text, t.currency, t.principal, t.interest, t.fees, t.suspense, t.write_off, t.recovery,
    t.cash, t.income, t.principal_after, t.interest_after, t.fees_after, t.suspense_after, t.charges, t.scheduled, t.reverses,
    t.reverses_kind, t.reversed_before, t.reason, t.actor, t.payment_id, t.reference, t.details::text, t.accrues_on,
    t.transaction_id::text)::text
$$;

-- Seals what at most so many statements have added; answers how many. What commits later with a lower transaction id is
-- yet to come while that transaction runs, so only what is below the oldest running one is taken; an id that this cluster
-- has not given yet came with a copy of the database from another, and is not waited for.
create function ledger.seal(at_most int) returns int
language plpgsql volatile security definer set search_path = ledger, pg_temp as $$
declare
  last_position bigint := 0;
  last_hash bytea := '';
  sealed int := 0;
  u unsealed;
  new_digests bytea;
  found_transfers int;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('ledger.seal', 0)) then return 0; end if;
  select s.position, s.hash into last_position, last_hash from seals s order by s.position desc limit 1;
  if not found then
    last_position := 0;
    last_hash := '';
  end if;
  for u in
    select unsealed.* from unsealed
    where transaction_id < pg_snapshot_xmin(pg_current_snapshot()) or transaction_id >= pg_snapshot_xmax(pg_current_snapshot())
    order by transaction_id, id limit at_most
  loop
    select string_agg(sha256(convert_to(canonical(t), 'UTF8')), '' order by k.place), count(t.loan_id)
      into new_digests, found_transfers
      from unnest(u.loan_ids, u.versions) with ordinality as k (loan_id, version, place)
      left join transfers t on t.loan_id = k.loan_id and t.version = k.version;
    -- What is gone before it was sealed stays in the queue, where verifying finds it.
    continue when found_transfers < cardinality(u.versions);
    last_position := last_position + 1;
    last_hash := sha256(last_hash || new_digests);
    insert into seals (position, loan_ids, versions, digests, hash)
      values (last_position, u.loan_ids, u.versions, new_digests, last_hash);
    delete from unsealed where unsealed.id = u.id;
    sealed := sealed + 1;
  end loop;
  return sealed;
end $$;
revoke execute on function ledger.seal(int) from public;
grant execute on function ledger.seal(int) to recoup_ledger;
