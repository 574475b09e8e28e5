-- What somebody does alone to one loan within a day counts together, so that an amount in several parts is not below its limit.

create table approvals.done_alone (
  id bigint generated always as identity primary key,
  maker text not null,
  account_id text not null,
  kind text not null,
  currency char(3) not null,
  amount numeric(19, 4) not null,
  done_at timestamptz not null default now()
);
create index done_alone_by_maker on approvals.done_alone (maker, account_id, kind, done_at);
create index done_alone_oldest on approvals.done_alone (done_at);

-- As 0026 has it, and what was done alone is counted: whatever the ledger then says of it.
create or replace function approvals.ask(claimant text, given_key text, given_request text, roles text[], new_kind text, account text,
                              customer text, new_currency text, new_amount numeric, new_command jsonb, new_facts jsonb,
                              new_reason text, lasting interval)
returns table (state text, told jsonb)
language plpgsql volatile security definer set search_path = approvals, pg_temp as $$
declare
  k operations.idempotency_keys;
  earlier requests;
  made uuid;
  before_it numeric := 0;
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
  if new_amount is not null then
    -- One after another, or two at once would each not see the other.
    perform pg_advisory_xact_lock(hashtextextended('approvals.ask ' || claimant || ' ' || account, 0));
    select coalesce(sum(d.amount), 0) into before_it from done_alone d
    where d.maker = claimant and d.account_id = account and d.kind = new_kind and d.currency = new_currency
      and d.done_at > now() - interval '1 day';
  end if;
  if new_amount is null or before_it + new_amount <= coalesce(
    (select max(l.amount) from limits l where l.role = any (roles) and l.kind = new_kind and l.currency = new_currency), 0) then
    k.done := new_command;
    state := 'direct';
    if new_amount is not null then
      insert into done_alone (maker, account_id, kind, currency, amount)
      values (claimant, account, new_kind, new_currency, new_amount);
    end if;
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

create or replace function approvals.expire(most int) returns int
language plpgsql volatile security definer set search_path = approvals, pg_temp as $$
declare
  ended int;
begin
  update requests r set status = 'expired', decided_at = now()
  where r.id in (select w.id from requests w where w.status = 'requested' and w.expires_at <= now()
                 order by w.expires_at limit most for update skip locked);
  get diagnostics ended = row_count;
  delete from done_alone d
  where d.id in (select o.id from done_alone o where o.done_at < now() - interval '1 day' order by o.done_at limit most);
  return ended;
end $$;
