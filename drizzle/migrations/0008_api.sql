-- What staff and services do themselves: record and reverse under an Idempotency-Key, and have a range told again.

-- A key binds what a caller asked for to what was answered. Row and deed are one transaction; the answer is kept by a
-- second step, and a repetition that finds none makes it anew from the deed.
create table operations.idempotency_keys (
  actor text not null,
  key text not null check (length(key) between 1 and 255),
  -- SHA-256 of the request.
  request text not null,
  done jsonb,
  answer text,
  created_at timestamptz not null default now(),
  primary key (actor, key)
);
create index idempotency_keys_oldest on operations.idempotency_keys (created_at);

-- The row of this key; `done` is null when the caller has just taken it. Waits for another request under the same key.
create function operations.claim_key(claimant text, given_key text, given_request text) returns operations.idempotency_keys
language plpgsql volatile as $$
declare
  claimed operations.idempotency_keys;
begin
  loop
    insert into operations.idempotency_keys (actor, key, request) values (claimant, given_key, given_request)
    on conflict do nothing returning * into claimed;
    exit when found;
    select * into claimed from operations.idempotency_keys where actor = claimant and key = given_key;
    -- Not found: it was removed for its age between the two statements.
    exit when found;
  end loop;
  return claimed;
end $$;

-- Keeps the first answer given to it and says which one that is; null when the key is gone.
create function operations.keep_answer(claimant text, given_key text, given_answer text) returns text
language sql volatile security definer set search_path = operations, pg_temp as $$
  update idempotency_keys set answer = coalesce(answer, given_answer) where actor = claimant and key = given_key returning answer
$$;

create function operations.remove_old_idempotency_keys(older_than interval, most int) returns int
language plpgsql volatile security definer set search_path = operations, pg_temp as $$
declare
  removed int;
begin
  delete from idempotency_keys where (actor, key) in (
    select actor, key from idempotency_keys where created_at < now() - older_than
    order by created_at limit most for update skip locked
  );
  get diagnostics removed = row_count;
  return removed;
end $$;

-- record_payments and reverse_payments under a key. `state`: 'new', `done` is the verb's row; 'repeated', it is that of
-- the first time, with the answer where one is kept; 'reused', the key stands for another request. The key is taken
-- before the verb locks anything, so nobody waits for it while holding a payment.
create function payment_service.record_payments_once(
  claimant text, given_key text, given_request text,
  ids uuid[], event_ids uuid[], namespaces text[], reference_numbers text[], loan_account_numbers text[], cifs text[],
  amounts numeric[], currencies text[], payment_dates timestamptz[], paid_ons date[], payment_channels text[],
  metadatas text[], linked_payment_ids uuid[], requires_receipts boolean[], sources text[], actors text[]
) returns table (state text, done jsonb, answer text)
language plpgsql volatile security definer set search_path = payment_service, pg_temp as $$
declare
  k operations.idempotency_keys := operations.claim_key(claimant, given_key, given_request);
begin
  if k.request <> given_request then return query select 'reused', null::jsonb, null::text; return; end if;
  if k.done is not null then return query select 'repeated', k.done, k.answer; return; end if;
  k.done := (select jsonb_agg(r) from record_payments(ids, event_ids, namespaces, reference_numbers, loan_account_numbers, cifs,
    amounts, currencies, payment_dates, paid_ons, payment_channels, metadatas, linked_payment_ids, requires_receipts, sources,
    actors) as r);
  update operations.idempotency_keys i set done = k.done where i.actor = claimant and i.key = given_key;
  return query select 'new', k.done, null::text;
end $$;

create function payment_service.reverse_payments_once(
  claimant text, given_key text, given_request text,
  ids uuid[], event_ids uuid[], namespaces text[], reference_numbers text[], reversal_references text[], amounts numeric[],
  currencies text[], reasons text[], occurred_ats timestamptz[], sources text[], actors text[], keep_refused boolean
) returns table (state text, done jsonb, answer text)
language plpgsql volatile security definer set search_path = payment_service, pg_temp as $$
declare
  k operations.idempotency_keys := operations.claim_key(claimant, given_key, given_request);
begin
  if k.request <> given_request then return query select 'reused', null::jsonb, null::text; return; end if;
  if k.done is not null then return query select 'repeated', k.done, k.answer; return; end if;
  k.done := (select jsonb_agg(r) from reverse_payments(ids, event_ids, namespaces, reference_numbers, reversal_references, amounts,
    currencies, reasons, occurred_ats, sources, actors, keep_refused) as r);
  update operations.idempotency_keys i set done = k.done where i.actor = claimant and i.key = given_key;
  return query select 'new', k.done, null::text;
end $$;

-- Told again -----------------------------------------------------------------------------------------------------
create index payment_reversals_by_time on payment_service.payment_reversals (created_at desc, id desc);
create index payment_reversals_told on payment_service.payment_reversals (settled_at) where status = 'applied';
create index payment_failures_told on payment_service.payment_failures (created_at);

-- Writes messages anew, with the ids, times and texts of the first time, in the order in which the facts were first
-- told: by payment date (from, until), or of one loan account, or of one reference in every namespace; failed attempts
-- by the time of the attempt. At most `most` facts a call, those after the cursor; `next_cursor` is null when there were
-- none. What one transaction told comes as payments, then failures, then reversals, as it did the first time. A payment
-- that retention has exported is not in the table, so neither it nor its reversals are told again. `only_topic` null is
-- both topics; `dry` counts and writes nothing.
create function payment_service.publish_again(
  range_from timestamptz, range_until timestamptz, loan text, reference text, only_topic text, after_cursor json, most int, dry boolean
) returns table (payments int, failures int, reversals int, next_cursor json)
language plpgsql volatile set search_path = payment_service, pg_temp
-- The planner must see which of the three ways is asked for, and the dates, to leave months and tables out.
set plan_cache_mode = force_custom_plan as $$
#variable_conflict use_column
declare
  c_at timestamptz := coalesce((after_cursor ->> 0)::timestamptz, '-infinity');
  c_rank int := coalesce((after_cursor ->> 1)::int, 0);
  c_tie numeric := coalesce((after_cursor ->> 2)::numeric, 0);
  c_id uuid := coalesce((after_cursor ->> 3)::uuid, '00000000-0000-0000-0000-000000000000');
  last_at timestamptz;
begin
  if num_nonnulls(range_from, loan, reference) <> 1 or (range_from is null) <> (range_until is null) then
    raise exception 'a range is two dates, or a loan account, or a reference' using errcode = 'invalid_parameter_value';
  end if;
  -- How far this call may go: to the last payment it has room for, so that reversals and failures are looked for in
  -- that stretch of time alone.
  select p.created_at into last_at from payments p
  where (range_from is null or (p.payment_date >= range_from and p.payment_date < range_until))
    and (loan is null or p.loan_account_number = loan) and (reference is null or p.reference_number = reference)
    and p.created_at >= c_at and (p.created_at, 0, 0, p.id) > (c_at, c_rank, c_tie, c_id)
  order by p.created_at, p.id offset most - 1 limit 1;
  last_at := coalesce(last_at, 'infinity');

  return query
  with told as materialized (
    (select p.created_at as at, 0 as rank, 0::numeric as tie, p.id, p.loan_account_number as key, p.event_id,
            recorded_event(p.event_id, p.created_at, p.id, p.reference_number, p.loan_account_number, p.cif, p.amount,
              p.currency, p.payment_date, p.payment_channel, p.source, p.metadata::json) as event,
            lifecycle_event(p.event_id, 'PAYMENT_RECEIVED', p.reference_number, p.loan_account_number, p.cif, p.amount,
              p.currency, p.created_at, 'received', json_build_object('paymentId', p.id, 'currency', p.currency,
                'paymentDate', utc(p.payment_date), 'paymentChannel', p.payment_channel, 'source', p.source)) as lifecycle
     from payments p
     where (range_from is null or (p.payment_date >= range_from and p.payment_date < range_until))
       and (loan is null or p.loan_account_number = loan) and (reference is null or p.reference_number = reference)
       and p.created_at >= c_at and (p.created_at, 0, 0, p.id) > (c_at, c_rank, c_tie, c_id)
     order by p.created_at, p.id limit most)
    union all
    (select f.created_at, 1, 0, f.id, coalesce(f.loan_account_number, f.reference_number), f.event_id,
            failed_event(f.event_id, f.created_at, f.reference_number, f.loan_account_number, f.cif, f.amount, f.currency,
              f.payment_channel, f.id, f.failure_reference, f.reason, f.occurred_at, f.source),
            lifecycle_event(f.event_id, 'PAYMENT_FAILED', f.reference_number, f.loan_account_number, f.cif, f.amount,
              f.currency, f.created_at, 'failed', json_build_object('currency', f.currency, 'reason', f.reason))
     from payment_failures f
     where (range_from is null or (f.occurred_at >= range_from and f.occurred_at < range_until))
       and (loan is null or f.loan_account_number = loan) and (reference is null or f.reference_number = reference)
       and f.created_at between c_at and last_at and (f.created_at, 1, 0, f.id) > (c_at, c_rank, c_tie, c_id)
     order by f.created_at, f.id limit most)
    union all
    -- Reversals of one payment that were settled together were settled in the order of their totals.
    (select v.settled_at, 2, v.reversed_total, v.id, r.loan_account_number, v.event_id,
            reversed_event(v.event_id, v.settled_at, r.payment_id, r.reference_number, r.loan_account_number, r.cif, r.amount,
              r.currency, v.id, v.reversal_reference, v.applied_amount, v.reversed_total, v.reason, v.occurred_at, v.source),
            lifecycle_event(v.event_id, 'PAYMENT_REVERSED', r.reference_number, r.loan_account_number, r.cif,
              v.applied_amount, r.currency, v.settled_at, payment_status(r.amount, v.reversed_total), json_build_object(
                'paymentId', r.payment_id, 'currency', r.currency, 'reason', v.reason, 'reversalReference', v.reversal_reference))
     from payment_reversals v
     join payment_references r on r.namespace = v.namespace and r.reference_number = v.reference_number
     join payments p on p.id = r.payment_id and p.payment_date = r.payment_date
     where v.status = 'applied'
       and (range_from is null or (r.payment_date >= range_from and r.payment_date < range_until))
       and (loan is null or p.loan_account_number = loan) and (reference is null or v.reference_number = reference)
       and v.settled_at between c_at and last_at and (v.settled_at, 2, v.reversed_total, v.id) > (c_at, c_rank, c_tie, c_id)
     order by v.settled_at, v.reversed_total, v.id limit most)
    order by 1, 2, 3, 4 limit most
  ), message as (
    insert into outbox.messages (destination, topic, key, event_id, payload)
    select 'log', m.topic, t.key, t.event_id, m.payload
    from told t cross join lateral (values ('payment.events', t.event), ('payment.lifecycle', t.lifecycle)) as m(topic, payload)
    where not dry and (only_topic is null or m.topic = only_topic)
    order by t.at, t.rank, t.tie, t.id, m.topic
  )
  select (count(*) filter (where rank = 0))::int, (count(*) filter (where rank = 1))::int,
         (count(*) filter (where rank = 2))::int,
         (select json_build_array(at, rank, tie, id) from told order by at desc, rank desc, tie desc, id desc limit 1)
  from told;
end $$;

-- Who may do what ------------------------------------------------------------------------------------------------
revoke all on function operations.claim_key, operations.keep_answer, operations.remove_old_idempotency_keys,
  payment_service.record_payments_once, payment_service.reverse_payments_once, payment_service.publish_again from public;
grant execute on function payment_service.record_payments_once, payment_service.reverse_payments_once, operations.keep_answer
  to recoup_api;
grant execute on function operations.remove_old_idempotency_keys to recoup_ingest;
