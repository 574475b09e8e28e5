-- What becomes of a payment after it is recorded: it may be reversed, in part or whole, and an attempt to pay may fail.
-- A payment's status follows from its reference row (amount, reversed), its history from reversals and failures.

-- The reference outlives the payment's row, which retention may export; a reversal announces the customer even then.
alter table payment_service.payment_references add column cif varchar(20);
update payment_service.payment_references r set cif = p.cif from payment_service.payments p where p.id = r.payment_id;
alter table payment_service.payment_references alter column cif set not null;
alter table payment_service.payments add column requires_receipt boolean not null default false;
alter table payment_service.payment_conflicts add column requires_receipt boolean not null default false;

create function payment_service.payment_status(amount numeric, reversed numeric) returns text
language sql immutable parallel safe as $$
  select case when reversed = 0 then 'received' when reversed < amount then 'partially_reversed' else 'reversed' end
$$;

-- A reversal is told apart by the reverser's own reference within its payment. `amount` is null when it takes back
-- all that is left. `held` waits for its payment, `applied` counts in the reference's `reversed`, `refused` asked for
-- more than was left or for another currency, and is kept because somebody says that money has moved.
create table payment_service.payment_reversals (
  id uuid primary key,
  namespace text not null,
  reference_number varchar(255) not null,
  reversal_reference varchar(255) not null,
  amount numeric(19, 4),
  currency char(3),
  reason text not null,
  occurred_at timestamptz not null,
  source varchar(50) not null,
  actor text not null,
  event_id uuid not null,
  status text not null default 'held' check (status in ('held', 'applied', 'refused')),
  refusal text check (refusal in ('exceeds_payment', 'nothing_left', 'other_currency')),
  payment_id uuid,
  applied_amount numeric(19, 4),
  -- The reference's total after this one, so that the event can be told again as it was.
  reversed_total numeric(19, 4),
  settled_at timestamptz,
  created_at timestamptz not null default now(),
  constraint one_row_per_reversal unique (namespace, reference_number, reversal_reference),
  constraint amount_is_positive check (amount > 0 and amount < 1e13),
  constraint amount_has_currency check ((amount is null) = (currency is null)),
  constraint amount_fits_currency check (amount = round(amount, payment_service.currency_exponent(currency))),
  constraint applied_is_whole check ((status = 'applied') = (applied_amount is not null and payment_id is not null)),
  constraint refused_says_why check ((status = 'refused') = (refusal is not null))
);
create index payment_reversals_held on payment_service.payment_reversals (namespace, reference_number) where status = 'held';
create index payment_reversals_by_reference on payment_service.payment_reversals (reference_number);
create index payment_reversals_newest on payment_service.payment_reversals (status, created_at desc, id desc);

-- An attempt to pay that failed. It never undoes a payment and never takes its reference: a later attempt may succeed.
create table payment_service.payment_failures (
  id uuid primary key,
  namespace text not null,
  reference_number varchar(255) not null,
  failure_reference varchar(255) not null,
  loan_account_number varchar(20),
  cif varchar(20),
  amount numeric(19, 4),
  currency char(3),
  reason text not null,
  occurred_at timestamptz not null,
  payment_channel varchar(100) not null,
  source varchar(50) not null,
  actor text not null,
  event_id uuid not null,
  created_at timestamptz not null default now(),
  constraint one_row_per_failure unique (namespace, reference_number, failure_reference),
  constraint amount_has_currency check ((amount is null) = (currency is null)),
  constraint amount_fits_currency check (amount = round(amount, payment_service.currency_exponent(currency)))
);
create index payment_failures_by_reference on payment_service.payment_failures (reference_number);
create index payment_failures_by_loan on payment_service.payment_failures (loan_account_number, occurred_at desc);

-- The texts that go out. Each fact is told twice under one event id: on payment.events in seed 003's words, on
-- payment.lifecycle as seed 004's PaymentEvent. Plain SQL functions, so that the planner puts them in line.
create function payment_service.utc(at timestamptz) returns text
language sql stable parallel safe as $$
  select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

create function payment_service.exact(amount numeric, currency text) returns numeric
language sql immutable parallel safe as $$
  select round(amount, payment_service.currency_exponent(currency))
$$;

create function payment_service.recorded_event(
  event_id uuid, at timestamptz, id uuid, reference_number text, loan_account_number text, cif text, amount numeric,
  currency text, payment_date timestamptz, payment_channel text, source text, metadata json
) returns text
language sql stable parallel safe as $$
  select json_build_object(
    'event_id', event_id,
    'event_type', 'payment.recorded',
    'timestamp', payment_service.utc(at),
    'payment', json_build_object(
      'id', id,
      'reference_number', reference_number,
      'loan_account_number', loan_account_number,
      'cif', cif,
      'amount', payment_service.exact(amount, currency),
      'currency', currency,
      'payment_date', payment_service.utc(payment_date),
      'payment_channel', payment_channel,
      'source', source,
      'metadata', metadata
    ))::text
$$;

create function payment_service.lifecycle_event(
  event_id uuid, type text, reference_number text, loan_account_number text, cif text, amount numeric, currency text,
  at timestamptz, status text, details json
) returns text
language sql stable parallel safe as $$
  select json_build_object(
    'id', event_id,
    'type', type,
    'paymentReferenceNumber', reference_number,
    'loanAccountNumber', loan_account_number,
    'cif', cif,
    'amount', payment_service.exact(amount, currency),
    'timestamp', payment_service.utc(at),
    'status', status,
    'details', details
  )::text
$$;

create function payment_service.reversed_event(
  event_id uuid, at timestamptz, payment_id uuid, reference_number text, loan_account_number text, cif text, amount numeric,
  currency text, reversal_id uuid, reversal_reference text, applied_amount numeric, reversed_total numeric, reason text,
  occurred_at timestamptz, source text
) returns text
language sql stable parallel safe as $$
  select json_build_object(
    'event_id', event_id,
    'event_type', 'payment.reversed',
    'timestamp', payment_service.utc(at),
    'payment', json_build_object(
      'id', payment_id,
      'reference_number', reference_number,
      'loan_account_number', loan_account_number,
      'cif', cif,
      'amount', payment_service.exact(amount, currency),
      'currency', currency,
      'status', payment_service.payment_status(amount, reversed_total)
    ),
    'reversal', json_build_object(
      'id', reversal_id,
      'reference', reversal_reference,
      'amount', payment_service.exact(applied_amount, currency),
      'currency', currency,
      'reversed_total', payment_service.exact(reversed_total, currency),
      'reason', reason,
      'occurred_at', payment_service.utc(occurred_at),
      'source', source
    ))::text
$$;

create function payment_service.failed_event(
  event_id uuid, at timestamptz, reference_number text, loan_account_number text, cif text, amount numeric, currency text,
  payment_channel text, failure_id uuid, failure_reference text, reason text, occurred_at timestamptz, source text
) returns text
language sql stable parallel safe as $$
  select json_build_object(
    'event_id', event_id,
    'event_type', 'payment.failed',
    'timestamp', payment_service.utc(at),
    'payment', json_build_object(
      'reference_number', reference_number,
      'loan_account_number', loan_account_number,
      'cif', cif,
      'amount', payment_service.exact(amount, currency),
      'currency', currency,
      'payment_channel', payment_channel,
      'source', source
    ),
    'failure', json_build_object(
      'id', failure_id,
      'reference', failure_reference,
      'reason', reason,
      'occurred_at', payment_service.utc(occurred_at)
    ))::text
$$;

-- Recording takes this lock shared; a reversal that misses its payment takes it alone before it looks again. So either
-- the reversal sees the payment, or the payment sees the held reversal.
create function payment_service.recording_lock() returns bigint
language sql immutable as $$ select 7234051903 $$;

-- Applies a held reversal to its payment, or finds that it cannot be. Answers its status; still 'held' when the
-- payment is not there. The CHECK on the reference row has the last word on how much may be reversed.
create function payment_service.settle_reversal(reversal uuid) returns text
language plpgsql volatile as $$
declare
  v payment_service.payment_reversals;
  r payment_service.payment_references;
  taken numeric;
  why text;
begin
  select * into v from payment_service.payment_reversals where id = reversal and status = 'held' for update;
  if not found then return (select status from payment_service.payment_reversals where id = reversal); end if;
  select * into r from payment_service.payment_references
  where namespace = v.namespace and reference_number = v.reference_number for update;
  if not found then return 'held'; end if;

  taken := coalesce(v.amount, r.amount - r.reversed);
  why := case when v.currency <> r.currency then 'other_currency'
              when r.reversed = r.amount then 'nothing_left'
              when taken > r.amount - r.reversed then 'exceeds_payment' end;
  if why is not null then
    update payment_service.payment_reversals set status = 'refused', refusal = why, payment_id = r.payment_id, settled_at = now()
    where id = reversal;
    return 'refused';
  end if;

  update payment_service.payment_references set reversed = reversed + taken
  where namespace = r.namespace and reference_number = r.reference_number
  returning * into r;
  update payment_service.payment_reversals
  set status = 'applied', payment_id = r.payment_id, applied_amount = taken, reversed_total = r.reversed, settled_at = now()
  where id = reversal returning * into v;
  perform payment_service.announce_reversal(v, r);
  return 'applied';
end $$;

create function payment_service.announce_reversal(v payment_service.payment_reversals, r payment_service.payment_references) returns void
language sql volatile as $$
  insert into outbox.messages (destination, topic, key, event_id, payload)
  values
    ('log', 'payment.events', r.loan_account_number, v.event_id, payment_service.reversed_event(
      v.event_id, v.settled_at, r.payment_id, r.reference_number, r.loan_account_number, r.cif, r.amount, r.currency, v.id,
      v.reversal_reference, v.applied_amount, v.reversed_total, v.reason, v.occurred_at, v.source)),
    ('log', 'payment.lifecycle', r.loan_account_number, v.event_id, payment_service.lifecycle_event(
      v.event_id, 'PAYMENT_REVERSED', r.reference_number, r.loan_account_number, r.cif, v.applied_amount, r.currency, v.settled_at,
      payment_service.payment_status(r.amount, v.reversed_total), json_build_object(
        'paymentId', r.payment_id, 'currency', r.currency, 'reason', v.reason, 'reversalReference', v.reversal_reference)))
$$;

-- Takes back payments, in part or whole. One row comes back per position (from 1), in input order:
--   applied    this call took the amount back
--   held       its payment is not there yet; it is applied in the transaction that records it
--   refused    more than is left, nothing left, or another currency; kept only where `keep_refused` says so
--   duplicate  the same reversal came before; `refusal` and `reversal_id` are those of the first
--   conflict   the reversal's reference came before with another amount; nothing is kept
create function payment_service.reverse_payments(
  ids uuid[], event_ids uuid[], namespaces text[], reference_numbers text[], reversal_references text[], amounts numeric[],
  currencies text[], reasons text[], occurred_ats timestamptz[], sources text[], actors text[], keep_refused boolean
) returns table ("position" int, outcome text, reversal_id uuid, payment_id uuid, refusal text)
language plpgsql volatile security definer set search_path = payment_service, pg_temp as $$
#variable_conflict use_column
declare
  n int;
  found_row payment_reversals;
  result text;
begin
  if exists (select from unnest(amounts, currencies) as a(amount, currency)
             where a.amount <> round(a.amount, currency_exponent(a.currency))) then
    raise exception 'an amount has more decimals than its currency' using errcode = 'check_violation';
  end if;
  -- Before any row is locked, so that nobody waits for the lock while holding what its holder needs.
  if exists (select from unnest(namespaces, reference_numbers) as w(namespace, reference_number)
             where not exists (select from payment_references r
                               where r.namespace = w.namespace and r.reference_number = w.reference_number)) then
    perform pg_advisory_xact_lock(recording_lock());
  end if;

  for n in select g from generate_subscripts(ids, 1) as g order by namespaces[g], reference_numbers[g], reversal_references[g], g loop
    insert into payment_reversals (id, namespace, reference_number, reversal_reference, amount, currency, reason, occurred_at,
                                   source, actor, event_id)
    values (ids[n], namespaces[n], reference_numbers[n], reversal_references[n], amounts[n], currencies[n], reasons[n],
            occurred_ats[n], sources[n], actors[n], event_ids[n])
    on conflict do nothing;
    if found then
      result := settle_reversal(ids[n]);
    else
      result := null;
    end if;
    select * into strict found_row from payment_reversals v
    where v.namespace = namespaces[n] and v.reference_number = reference_numbers[n] and v.reversal_reference = reversal_references[n];
    if result is null then
      result := case when (found_row.amount, found_row.currency) is not distinct from (amounts[n], currencies[n]::char(3))
                     then 'duplicate' else 'conflict' end;
    elsif result = 'refused' and not keep_refused then
      delete from payment_reversals where id = ids[n];
      found_row.id := null;
    end if;
    "position" := n;
    outcome := result;
    reversal_id := found_row.id;
    payment_id := found_row.payment_id;
    refusal := found_row.refusal;
    return next;
  end loop;
end $$;

-- Keeps failed attempts to pay, each once, and announces them. Answers 'recorded' or 'duplicate' per position.
create function payment_service.record_failures(
  ids uuid[], event_ids uuid[], namespaces text[], reference_numbers text[], failure_references text[],
  loan_account_numbers text[], cifs text[], amounts numeric[], currencies text[], reasons text[], occurred_ats timestamptz[],
  payment_channels text[], sources text[], actors text[]
) returns table ("position" int, outcome text)
language plpgsql volatile security definer set search_path = payment_service, pg_temp as $$
#variable_conflict use_column
declare
  won uuid[];
begin
  with new_row as (
    insert into payment_failures (id, namespace, reference_number, failure_reference, loan_account_number, cif, amount, currency,
                                  reason, occurred_at, payment_channel, source, actor, event_id)
    select i.id, i.namespace, i.reference_number, i.failure_reference, i.loan_account_number, i.cif, i.amount, i.currency,
           i.reason, i.occurred_at, i.payment_channel, i.source, i.actor, i.event_id
    from unnest(ids, event_ids, namespaces, reference_numbers, failure_references, loan_account_numbers, cifs, amounts, currencies,
                reasons, occurred_ats, payment_channels, sources, actors)
      as i(id, event_id, namespace, reference_number, failure_reference, loan_account_number, cif, amount, currency,
           reason, occurred_at, payment_channel, source, actor)
    order by i.namespace, i.reference_number, i.failure_reference
    on conflict do nothing
    returning *
  ), message as (
    insert into outbox.messages (destination, topic, key, event_id, payload)
    select 'log', m.topic, coalesce(f.loan_account_number, f.reference_number), f.event_id, m.payload
    from new_row f cross join lateral (values
      ('payment.events', failed_event(f.event_id, f.created_at, f.reference_number, f.loan_account_number, f.cif, f.amount,
        f.currency, f.payment_channel, f.id, f.failure_reference, f.reason, f.occurred_at, f.source)),
      ('payment.lifecycle', lifecycle_event(f.event_id, 'PAYMENT_FAILED', f.reference_number, f.loan_account_number, f.cif,
        f.amount, f.currency, f.created_at, 'failed', json_build_object('currency', f.currency, 'reason', f.reason)))
    ) as m(topic, payload)
  )
  select coalesce(array_agg(id), '{}') into won from new_row;
  return query
  select n, case when ids[n] = any (won) and n = array_position(ids, ids[n]) then 'recorded' else 'duplicate' end
  from generate_subscripts(ids, 1) as n order by n;
end $$;

-- Records a batch, as 0000 had it, now with each payment's own source and actor, with both of its messages, and with
-- the reversals that waited for it.
drop function payment_service.record_payments;
create function payment_service.record_payments(
  ids uuid[], event_ids uuid[], namespaces text[], reference_numbers text[], loan_account_numbers text[], cifs text[],
  amounts numeric[], currencies text[], payment_dates timestamptz[], paid_ons date[], payment_channels text[],
  metadatas text[], linked_payment_ids uuid[], requires_receipts boolean[], sources text[], actors text[]
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
  perform pg_advisory_xact_lock_shared(recording_lock());

  with input as materialized (
    select * from unnest(ids, event_ids, namespaces, reference_numbers, loan_account_numbers, cifs, amounts, currencies,
                         payment_dates, paid_ons, payment_channels, metadatas, linked_payment_ids, requires_receipts, sources,
                         actors) with ordinality
      as i(id, event_id, namespace, reference_number, loan_account_number, cif, amount, currency, payment_date, paid_on,
           payment_channel, metadata, linked_payment_id, requires_receipt, source, actor, n)
  ), candidate as (
    select distinct on (namespace, reference_number) * from input order by namespace, reference_number, n
  ), reference as (
    insert into payment_references (namespace, reference_number, payment_id, payment_date, amount, currency, loan_account_number, cif, paid_on)
    select namespace, reference_number, id, payment_date, amount, currency, loan_account_number, cif, paid_on
    from candidate order by namespace, reference_number
    -- No target: a racing copy of the payment also meets payment_id's unique index, where a target would make it an error.
    on conflict do nothing
    returning payment_id
  ), winner as materialized (
    select c.* from candidate c join reference r on r.payment_id = c.id
  ), payment as (
    insert into payments (id, namespace, reference_number, loan_account_number, cif, amount, currency, payment_date, paid_on,
                          payment_channel, source, metadata, linked_payment_id, requires_receipt, event_id, actor)
    select id, namespace, reference_number, loan_account_number, cif, amount, currency, payment_date, paid_on,
           payment_channel, source, metadata::jsonb, linked_payment_id, requires_receipt, event_id, actor
    from winner
  ), message as (
    insert into outbox.messages (destination, topic, key, event_id, payload)
    select 'log', m.topic, w.loan_account_number, w.event_id, m.payload
    from winner w cross join lateral (values
      ('payment.events', recorded_event(w.event_id, now(), w.id, w.reference_number, w.loan_account_number, w.cif, w.amount,
        w.currency, w.payment_date, w.payment_channel, w.source, w.metadata::json)),
      ('payment.lifecycle', lifecycle_event(w.event_id, 'PAYMENT_RECEIVED', w.reference_number, w.loan_account_number, w.cif,
        w.amount, w.currency, now(), 'received', json_build_object('paymentId', w.id, 'currency', w.currency,
          'paymentDate', utc(w.payment_date), 'paymentChannel', w.payment_channel, 'source', w.source)))
    ) as m(topic, payload)
    order by w.n
  )
  select coalesce(array_agg(n::int), '{}') into won from winner;

  if exists (select from payment_reversals where status = 'held') then
    perform settle_reversal(v.id)
    from (select v.id from payment_reversals v join unnest(won) as n
            on v.namespace = namespaces[n] and v.reference_number = reference_numbers[n]
          where v.status = 'held' order by v.namespace, v.reference_number, v.occurred_at, v.id) as v;
  end if;

  if cardinality(won) = cardinality(ids) then
    return query select n, 'created', ids[n], null::uuid from generate_subscripts(ids, 1) as n;
    return;
  end if;

  -- The versions that differ from the payment holding their reference, each kept once. A version that staff
  -- accepted is a payment of its own, so meeting it again is a duplicate of that one.
  insert into payment_conflicts as known (payment_id, namespace, reference_number, loan_account_number, cif, amount, currency,
                                          payment_date, paid_on, payment_channel, source, metadata, requires_receipt, actor)
  select distinct on (r.payment_id, amounts[n], currencies[n], loan_account_numbers[n], paid_ons[n])
         r.payment_id, namespaces[n], reference_numbers[n], loan_account_numbers[n], cifs[n], amounts[n], currencies[n],
         payment_dates[n], paid_ons[n], payment_channels[n], sources[n], metadatas[n]::jsonb, requires_receipts[n], actors[n]
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

create or replace function payment_service.accept_conflict(conflict uuid, new_id uuid, new_event_id uuid, why text, new_actor text)
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
      array[c.paid_on], array[c.payment_channel::text], array[c.metadata::text], array[c.payment_id], array[c.requires_receipt],
      array[c.source::text], array[new_actor]);
    update payment_conflicts set status = 'accepted', decided_by = new_actor, decided_at = now(), reason = why, accepted_payment_id = new_id
    where id = conflict;
    return query select c.status, new_id;
  else
    return query select c.status, c.accepted_payment_id;
  end if;
end $$;

revoke all on all functions in schema payment_service from public;
grant execute on function payment_service.record_payments, payment_service.reverse_payments, payment_service.record_failures
  to recoup_webhooks, recoup_api;
grant execute on function payment_service.payment_status to recoup_api;
grant select on payment_service.payment_reversals, payment_service.payment_failures to recoup_api;
