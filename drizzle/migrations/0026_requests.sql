-- Four eyes: what one person may not do to a loan alone becomes a request, which another one decides. What is approved
-- goes to the ledger by the outbox, exactly as it was asked for.

-- 0025 makes this role; whichever comes first.
do $$ begin
  create role recoup_posting nologin;
exception when duplicate_object or unique_violation then null;
end $$;

create schema approvals;

-- Up to how much somebody with the role does alone. Without a row nothing is done alone.
create table approvals.limits (
  role text not null check (length(role) between 1 and 64),
  kind text not null check (kind in ('fee_waiver', 'write_off', 'adjustment', 'disbursement')),
  currency char(3) not null,
  amount numeric(19, 4) not null check (amount >= 0 and amount < 1e13),
  set_by text not null,
  version int not null default 1,
  changed_at timestamptz not null default now(),
  primary key (role, kind, currency),
  constraint amount_fits_currency check (amount = round(amount, payment_service.currency_exponent(currency)))
);
create trigger next_version before update on approvals.limits for each row execute function staff.next_version();
create trigger note_change after insert or update or delete on approvals.limits
  for each row execute function audit.note_change('approval_limit', 'role', '', 'set_by');

--   from        to          by
--   requested   approved    a person who is not the maker; goes to the ledger
--               rejected    a person who is not the maker
--               cancelled   the maker
--               expired     time
--   approved    executed    the ledger, with the transaction's id
--               failed      the ledger, which refuses it
create table approvals.requests (
  id uuid primary key default gen_random_uuid(),
  kind text not null check (kind in ('fee_waiver', 'write_off', 'adjustment', 'disbursement')),
  account_id text not null,
  customer_id text,
  currency char(3) not null,
  -- What the limits are about: of an adjustment both of its parts, whichever way they go.
  amount numeric(19, 4) not null check (amount > 0 and amount < 1e13),
  -- Exactly what the ledger is told, and the loan as it was when this was asked for.
  command jsonb not null,
  facts jsonb not null,
  reason text not null check (length(reason) between 1 and 1000),
  maker text not null check (maker ~ '^user:'),
  idempotency_key text not null,
  request_hash text not null,
  requested_at timestamptz not null default now(),
  expires_at timestamptz not null,
  status text not null default 'requested'
    check (status in ('requested', 'approved', 'rejected', 'cancelled', 'expired', 'executed', 'failed')),
  checker text check (checker ~ '^user:'),
  decided_at timestamptz,
  decision_note text check (length(decision_note) between 1 and 1000),
  -- The loan as it was when this was approved.
  decided_facts jsonb,
  settled_at timestamptz,
  transaction_id text,
  failure jsonb,
  version int not null default 1,
  changed_at timestamptz not null default now(),
  unique (maker, idempotency_key),
  constraint maker_is_never_checker check (checker <> maker),
  constraint amount_fits_currency check (amount = round(amount, payment_service.currency_exponent(currency))),
  check ((checker is not null) = (status in ('approved', 'rejected', 'executed', 'failed'))),
  check ((decided_at is null) = (status = 'requested')),
  check ((settled_at is not null) = (status in ('executed', 'failed'))),
  check ((transaction_id is not null) = (status = 'executed')),
  check ((failure is not null) = (status = 'failed'))
);
create index requests_newest on approvals.requests (requested_at desc, id desc);
create index requests_waiting on approvals.requests (expires_at) where status = 'requested';
create index requests_by_account on approvals.requests (account_id, requested_at desc, id desc);
create trigger next_version before update on approvals.requests for each row execute function staff.next_version();
create trigger note_change after insert or update or delete on approvals.requests
  for each row execute function audit.note_change('approval_request', 'id', '', 'id,maker,idempotency_key,request_hash,requested_at');

-- What was asked for stays as it was, whoever decides.
create function approvals.keep_what_was_asked() returns trigger
language plpgsql as $$
begin
  if (old.kind, old.account_id, old.customer_id, old.currency, old.amount, old.command, old.facts, old.reason, old.maker,
      old.idempotency_key, old.request_hash, old.requested_at, old.expires_at)
     is distinct from
     (new.kind, new.account_id, new.customer_id, new.currency, new.amount, new.command, new.facts, new.reason, new.maker,
      new.idempotency_key, new.request_hash, new.requested_at, new.expires_at)
     or (old.status, new.status) not in (('requested', 'approved'), ('requested', 'rejected'), ('requested', 'cancelled'),
                                         ('requested', 'expired'), ('approved', 'executed'), ('approved', 'failed')) then
    raise exception 'a request goes from one state to the next and is not changed otherwise' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger keep_what_was_asked before update on approvals.requests
  for each row execute function approvals.keep_what_was_asked();

-- Telling ------------------------------------------------------------------------------------------------------
-- Each step goes to the log: of write-offs in the words that servicing systems have for them, as far as they have any.
create function approvals.tell() returns trigger
language plpgsql security definer set search_path = approvals, pg_temp as $$
declare
  new_id uuid := gen_random_uuid();
  step text := new.status;
  at text := to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
  decider text := coalesce(new.checker, case new.status when 'cancelled' then new.maker else 'service:approvals' end);
begin
  -- Those systems know of no end by time.
  if new.kind = 'write_off' and step = 'expired' then step := 'cancelled'; end if;
  insert into outbox.messages (destination, topic, key, event_id, payload)
  values ('log', 'approval.events', new.account_id, new_id, json_strip_nulls(json_build_object(
    'event_id', new_id,
    'event_type', case when new.kind = 'write_off' and step not in ('executed', 'failed') then 'writeoff.' else 'approval.' end
                  || step || '.v1',
    'timestamp', at, 'request_id', new.id, 'kind', new.kind, 'account_id', new.account_id, 'customer_id', new.customer_id,
    'amount', round(new.amount, payment_service.currency_exponent(new.currency)), 'currency', new.currency,
    'reason', case when step = 'requested' then new.reason end,
    'requested_by', new.maker,
    'requested_at', to_char(new.requested_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'approved_by', case step when 'approved' then decider end, 'approved_at', case step when 'approved' then at end,
    'rejected_by', case step when 'rejected' then decider end, 'rejected_at', case step when 'rejected' then at end,
    'cancelled_by', case step when 'cancelled' then decider end, 'cancelled_at', case step when 'cancelled' then at end,
    'expired_at', case step when 'expired' then at end,
    'settled_at', case when step in ('executed', 'failed') then at end,
    'transaction_id', new.transaction_id, 'failure', new.failure ->> 'code',
    'comment', case when new.status = 'expired' then 'nobody decided in time'
                    when step in ('approved', 'rejected', 'cancelled') then new.decision_note end))::text);
  insert into live.changes (kind, ids, accounts) values ('approvals', array[new.id::text], array[new.account_id]);
  return null;
end $$;
create trigger tell after insert or update on approvals.requests for each row execute function approvals.tell();

-- Asking and deciding --------------------------------------------------------------------------------------------
-- Once under its key: `state` says what the command is. 'direct': to be sent to the ledger, `told` being exactly what was
-- to be sent the first time. 'new' or 'repeated': a request, `told` being its id. 'reused': the key stands for another
-- command. 'person_required': no key of a program makes requests. `new_amount` null: a command without a limit.
create function approvals.ask(claimant text, given_key text, given_request text, roles text[], new_kind text, account text,
                              customer text, new_currency text, new_amount numeric, new_command jsonb, new_facts jsonb,
                              new_reason text, lasting interval)
returns table (state text, told jsonb)
language plpgsql volatile security definer set search_path = approvals, pg_temp as $$
declare
  k operations.idempotency_keys;
  earlier requests;
  made uuid;
begin
  -- A request is longer remembered than a key.
  select * into earlier from requests r where r.maker = claimant and r.idempotency_key = given_key;
  if found then
    return query select case when earlier.request_hash = given_request then 'repeated' else 'reused' end,
      jsonb_build_object('id', earlier.id);
    return;
  end if;
  k := operations.claim_key(claimant, given_key, given_request);
  if k.request <> given_request then return query select 'reused', null::jsonb; return; end if;
  if k.done is not null then
    return query select case when k.done ? 'id' then 'repeated' else 'direct' end, k.done;
    return;
  end if;
  if new_amount is null or new_amount <= coalesce(
    (select max(l.amount) from limits l where l.role = any (roles) and l.kind = new_kind and l.currency = new_currency), 0) then
    k.done := new_command;
    state := 'direct';
  elsif claimant !~ '^user:' then
    delete from operations.idempotency_keys i where i.actor = claimant and i.key = given_key;
    return query select 'person_required', null::jsonb;
    return;
  else
    insert into requests (kind, account_id, customer_id, currency, amount, command, facts, reason, maker, idempotency_key,
                          request_hash, expires_at)
    values (new_kind, account, customer, new_currency, new_amount, new_command, new_facts, new_reason, claimant, given_key,
            given_request, now() + lasting)
    returning requests.id into made;
    k.done := jsonb_build_object('id', made);
    state := 'new';
  end if;
  update operations.idempotency_keys i set done = k.done where i.actor = claimant and i.key = given_key;
  told := k.done;
  return next;
end $$;

-- Decides a request that waits, once. `before` is what it was: 'requested' when this decided it, or what it had become,
-- `by` being by whom; null when there is none. Whoever made it cannot decide it, which the table refuses as well.
create function approvals.decide(given_id uuid, decision text, decider text, note text, present_facts jsonb)
returns table (before text, by text)
language plpgsql volatile security definer set search_path = approvals, pg_temp as $$
declare
  held requests;
begin
  select * into held from requests r where r.id = given_id for update;
  if not found then return; end if;
  if held.status = 'requested' and held.expires_at <= now() then
    update requests r set status = 'expired', decided_at = now() where r.id = given_id;
    return query select 'expired', null::text;
    return;
  end if;
  if held.status <> 'requested' then
    return query select held.status, held.checker;
    return;
  end if;
  update requests r set status = decision, checker = decider, decided_at = now(), decision_note = note, decided_facts = present_facts
  where r.id = given_id;
  if decision = 'approved' then
    insert into outbox.messages (destination, topic, key, event_id, payload)
    values ('requests', 'ledger.requests', held.account_id, given_id,
            (held.command || jsonb_build_object('requestId', given_id, 'maker', held.maker, 'checker', decider))::text);
  end if;
  return query select 'requested', decider;
end $$;

-- By whoever made it. Answers as `decide` does; 'not_own' is somebody else's.
create function approvals.cancel(given_id uuid, asking text, note text) returns text
language plpgsql volatile security definer set search_path = approvals, pg_temp as $$
declare
  held requests;
begin
  select * into held from requests r where r.id = given_id for update;
  if not found then return null; end if;
  if held.maker <> asking then return 'not_own'; end if;
  if held.status <> 'requested' then return held.status; end if;
  update requests r set decided_at = now(),
    status = case when r.expires_at <= now() then 'expired' else 'cancelled' end,
    decision_note = case when r.expires_at <= now() then null else note end
  where r.id = given_id;
  return case when held.expires_at <= now() then 'expired' else 'requested' end;
end $$;

create function approvals.expire(most int) returns int
language plpgsql volatile security definer set search_path = approvals, pg_temp as $$
declare
  ended int;
begin
  update requests r set status = 'expired', decided_at = now()
  where r.id in (select w.id from requests w where w.status = 'requested' and w.expires_at <= now()
                 order by w.expires_at limit most for update skip locked);
  get diagnostics ended = row_count;
  return ended;
end $$;

-- What became of an approved request in the ledger: its transaction, or why it was refused. The first word stands.
create function approvals.settle(given_id uuid, transaction text, refusal jsonb) returns boolean
language plpgsql volatile security definer set search_path = approvals, pg_temp as $$
begin
  update requests r set status = case when refusal is null then 'executed' else 'failed' end, settled_at = now(),
    transaction_id = transaction, failure = refusal
  where r.id = given_id and r.status = 'approved';
  return found;
end $$;

-- Who may do what ------------------------------------------------------------------------------------------------
revoke all on all functions in schema approvals from public;
grant usage on schema approvals to recoup_api, recoup_ingest, recoup_posting;
grant select on approvals.requests to recoup_api;
grant select, insert, update, delete on approvals.limits to recoup_api;
grant execute on function approvals.ask, approvals.decide, approvals.cancel to recoup_api;
grant execute on function approvals.expire to recoup_ingest;
grant execute on function approvals.settle to recoup_posting;
