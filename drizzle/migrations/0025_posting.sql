-- Payments reach the ledger: what records or reverses a payment writes a message for the destination `ledger`, and what
-- was posted for each payment, where and under which id, is kept here (docs/ledger.md).
do $$
begin
  create role recoup_posting nologin;
exception when duplicate_object or unique_violation then null;
end $$;
grant usage on schema operations, outbox, payment_service, servicing to recoup_posting;
grant select, insert, update, delete on operations.heartbeats to recoup_posting;
grant select, delete on outbox.messages to recoup_posting;
grant select, insert on outbox.undeliverable to recoup_posting;

-- Recording tells the ledger -------------------------------------------------------------------------------------
create function payment_service.payment_to_post(
  payment_id uuid, reference_number text, loan_account_number text, amount numeric, currency text, paid_on date, actor text
) returns text
language sql stable parallel safe as $$
  select json_build_object('paymentId', payment_id, 'referenceNumber', reference_number, 'loanAccountNumber', loan_account_number,
    'amount', payment_service.exact(amount, currency)::text, 'currency', currency, 'paidOn', paid_on, 'actor', actor)::text
$$;

create function payment_service.reversal_to_post(
  payment_id uuid, reversal_id uuid, amount numeric, currency text, reason text, occurred_at timestamptz, actor text
) returns text
language sql stable parallel safe as $$
  select json_build_object('paymentId', payment_id, 'reversalId', reversal_id, 'amount',
    payment_service.exact(amount, currency)::text, 'currency', currency, 'reason', reason,
    'occurredAt', payment_service.utc(occurred_at), 'actor', actor)::text
$$;

create or replace function payment_service.announce_reversal(v payment_service.payment_reversals, r payment_service.payment_references)
returns void
language sql volatile as $$
  insert into outbox.messages (destination, topic, key, event_id, payload)
  values
    ('log', 'payment.events', r.loan_account_number, v.event_id, payment_service.reversed_event(
      v.event_id, v.settled_at, r.payment_id, r.reference_number, r.loan_account_number, r.cif, r.amount, r.currency, v.id,
      v.reversal_reference, v.applied_amount, v.reversed_total, v.reason, v.occurred_at, v.source)),
    ('log', 'payment.lifecycle', r.loan_account_number, v.event_id, payment_service.lifecycle_event(
      v.event_id, 'PAYMENT_REVERSED', r.reference_number, r.loan_account_number, r.cif, v.applied_amount, r.currency, v.settled_at,
      payment_service.payment_status(r.amount, v.reversed_total), json_build_object(
        'paymentId', r.payment_id, 'currency', r.currency, 'reason', v.reason, 'reversalReference', v.reversal_reference))),
    ('ledger', 'ledger.reversals', r.payment_id::text, v.event_id, payment_service.reversal_to_post(
      r.payment_id, v.id, v.applied_amount, r.currency, v.reason, v.occurred_at, v.actor))
$$;

-- As 0001 has it, with a third message for each payment.
create or replace function payment_service.record_payments(
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
    select m.destination, m.topic, m.key, w.event_id, m.payload
    from winner w cross join lateral (values
      ('log', 'payment.events', w.loan_account_number, recorded_event(w.event_id, now(), w.id, w.reference_number, w.loan_account_number, w.cif, w.amount,
        w.currency, w.payment_date, w.payment_channel, w.source, w.metadata::json)),
      ('log', 'payment.lifecycle', w.loan_account_number, lifecycle_event(w.event_id, 'PAYMENT_RECEIVED', w.reference_number,
        w.loan_account_number, w.cif, w.amount, w.currency, now(), 'received', json_build_object('paymentId', w.id,
          'currency', w.currency, 'paymentDate', utc(w.payment_date), 'paymentChannel', w.payment_channel, 'source', w.source))),
      ('ledger', 'ledger.payments', w.id::text, payment_to_post(w.id, w.reference_number, w.loan_account_number, w.amount,
        w.currency, w.paid_on, w.actor))
    ) as m(destination, topic, key, payload)
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

-- Messages for payments that were recorded before there were any, each followed by its reversals. `event_ids` are those of
-- the payments. Written again, they change nothing.
create function payment_service.post_again(payments uuid[], event_ids uuid[]) returns void
language sql volatile security definer set search_path = payment_service, pg_temp as $$
  with wanted as (
    select r.*, w.event_id, coalesce(p.actor, 'job:post-again') as actor
    from unnest(payments, event_ids) as w (id, event_id)
    join payment_references r on r.payment_id = w.id
    left join payments p on p.id = r.payment_id and p.payment_date = r.payment_date
  )
  insert into outbox.messages (destination, topic, key, event_id, payload)
  select 'ledger', m.topic, m.key, m.event_id, m.payload from (
    select w.payment_id, 0::numeric as place, 'ledger.payments' as topic, w.payment_id::text as key, w.event_id,
           payment_to_post(w.payment_id, w.reference_number, w.loan_account_number, w.amount, w.currency, w.paid_on, w.actor) as payload
    from wanted w
    union all
    select w.payment_id, v.reversed_total, 'ledger.reversals', w.payment_id::text, v.event_id,
           reversal_to_post(w.payment_id, v.id, v.applied_amount, w.currency, v.reason, v.occurred_at, v.actor)
    from wanted w
    join payment_reversals v on v.namespace = w.namespace and v.reference_number = w.reference_number and v.status = 'applied'
  ) as m order by m.payment_id, m.place
$$;

-- The loan whose own id this is, or whose account number it was given last.
create function servicing.loan_named(name text) returns text
language sql stable security definer set search_path = servicing, pg_temp as $$
  select substr(target, 9) from identifiers where value = name and target like 'account:%'
  order by target = 'account:' || name desc, version desc, target limit 1
$$;

-- Postings -------------------------------------------------------------------------------------------------------
create schema posting;
grant usage on schema posting to recoup_posting, recoup_api;

-- Staff have put a payment on other loans than it was posted to.
create table posting.moves (
  id uuid primary key default gen_random_uuid(),
  payment_id uuid not null,
  reason text not null,
  actor text not null,
  created_at timestamptz not null default now()
);
create index moves_by_payment on posting.moves (payment_id);
create trigger note_change after insert on posting.moves
  for each row execute function audit.note_change('payment_move', 'payment_id', '', 'actor,created_at');

-- One row for each thing that the ledger is asked to post, written before it is asked. The id is the key under which it is
-- asked, however often.
--
--   waiting   for another posting of its payment: a reversal for what it reverses, a moved part for where it was before
--   pending   the ledger is asked; it may have posted it already
--   held      the loan is not known, or the ledger has said no: nothing is posted. Tried again from time to time
--   posted    the ledger has it
--   void      a payment that was taken back before it was posted, and what took it back
create table posting.postings (
  id uuid primary key,
  position bigint generated always as identity unique,
  kind text not null check (kind in ('payment', 'reversal')),
  payment_id uuid not null,
  reference_number text not null,
  -- What the payment calls its loan.
  loan_account_number text not null,
  -- The loan that is meant.
  account_id text,
  amount numeric(19, 4) not null check (amount > 0),
  currency char(3) not null,
  effective_on date not null,
  reverses uuid references posting.postings,
  reversal_id uuid,
  move_id uuid references posting.moves,
  -- Of a payment: what its reversals come to, those that still wait included.
  reversed numeric(19, 4) not null default 0,
  state text not null check (state in ('waiting', 'pending', 'held', 'posted', 'void')),
  -- Why it is held: 'unknown_loan', or what the ledger calls it.
  held_because text,
  -- In words.
  held_message text,
  -- Times that the ledger has said no, or nothing.
  attempts int not null default 0,
  next_try_at timestamptz not null default now(),
  transfer_id text unique,
  transfer_version bigint,
  reason text,
  actor text not null,
  -- Staff have said which loan is meant.
  matched_by text,
  match_reason text,
  created_at timestamptz not null default now(),
  decided_at timestamptz,
  constraint reversed_at_most_whole check (reversed between 0 and amount),
  constraint reversals_reverse check ((kind = 'reversal') = (reverses is not null)),
  constraint reversal_has_cause check (kind = 'payment' or (reversal_id is null) <> (move_id is null)),
  constraint reversal_is_posted_once unique (reverses, reversal_id),
  constraint asked_about_a_loan check (state <> 'pending' or kind = 'reversal' or account_id is not null),
  constraint posted_says_where check ((state = 'posted') = (transfer_id is not null)),
  constraint held_says_why check (state <> 'held' or held_because is not null)
);
alter table posting.postings set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
-- However often a payment is told, and whatever becomes of it afterwards.
create unique index payment_is_posted_once on posting.postings (payment_id) where kind = 'payment' and move_id is null;
create index postings_of_payment on posting.postings (payment_id, position);
create index postings_due on posting.postings (state, next_try_at) where state in ('pending', 'held');
create index postings_of_move on posting.postings (move_id) where move_id is not null;
create index postings_reversing on posting.postings (reverses) where reverses is not null;
create index postings_newest on posting.postings (created_at desc, id desc);
create index postings_by_account on posting.postings (account_id, created_at desc, id desc);
create index postings_unsettled on posting.postings (state, created_at desc, id desc) where state <> 'posted';
create trigger note_change after update on posting.postings
  for each row when (new.matched_by is not null and new.matched_by is distinct from old.matched_by)
  execute function audit.note_change('posting', 'id', '', 'attempts,next_try_at,decided_at');

create function live.tell_postings() returns trigger
language plpgsql security definer set search_path = live, pg_temp as $$
begin
  insert into changes (kind, ids, accounts)
  select 'payments', case when count(*) <= 100 then array_agg(distinct n.reference_number) end,
    case when count(*) <= 100 then array_agg(distinct n.loan_account_number::text) end
  from old_rows o join new_rows n using (id) where n.state <> o.state having count(*) > 0;
  return null;
end $$;
create trigger tell after update on posting.postings
  referencing old table as old_rows new table as new_rows for each statement execute function live.tell_postings();

-- Staff say which loan a held payment is for. `outcome`: 'matched' or 'repeated' (the same request under its key), 'reused'
-- (the key stands for another), 'not_held' with its state. No row: there is no such payment's posting.
create function posting.match_posting(
  claimant text, given_key text, given_request text, given_id uuid, account text, why text
) returns table (outcome text, state text)
language plpgsql volatile security definer set search_path = posting, pg_temp as $$
#variable_conflict use_column
declare
  k operations.idempotency_keys;
  found_state text;
begin
  if given_key is not null then
    k := operations.claim_key(claimant, given_key, given_request);
    if k.request <> given_request then return query select 'reused', null; return; end if;
    if k.done is not null then return query select 'repeated', k.done ->> 'state'; return; end if;
  end if;
  select p.state into found_state from postings p where p.id = given_id and p.kind = 'payment' for update;
  if not found then return; end if;
  if found_state <> 'held' then return query select 'not_held', found_state; return; end if;
  update postings set state = 'pending', account_id = account, held_because = null, held_message = null, attempts = 0,
    next_try_at = now(), matched_by = claimant, match_reason = why
  where id = given_id;
  update operations.idempotency_keys i set done = '{"state": "pending"}' where i.actor = claimant and i.key = given_key;
  return query select 'matched', 'pending';
end $$;

-- By how much more each loan is to have of a payment than is posted to it.
create function posting.differences(payment uuid, accounts text[], amounts numeric[]) returns table (account text, more numeric)
language sql stable as $$
  select coalesce(now_there.account_id, wanted.account), coalesce(wanted.amount, 0) - coalesce(now_there.amount, 0)
  from (select p.account_id, sum(p.amount - p.reversed) as amount from posting.postings p
        where p.payment_id = payment and p.kind = 'payment' and p.state = 'posted' group by 1) as now_there
  full join (select w.account, sum(w.amount) as amount from unnest(accounts, amounts) as w (account, amount) group by 1) as wanted
    on wanted.account = now_there.account_id
$$;

-- Puts what is posted of a payment on these loans, each with its amount: what is too much where it is now is reversed,
-- newest first, and what is missing is posted, as of the payment's date, once all of that is reversed. `outcome`: 'moved',
-- 'unchanged' (it is there already), 'repeated', 'reused', 'unsettled' (a posting of it is not decided), 'nothing_posted',
-- 'sum_differs' with what is posted, 'too_many_decimals'. No row: nothing is known of such a payment.
create function posting.move_payment(
  claimant text, given_key text, given_request text, payment uuid, accounts text[], amounts numeric[], why text
) returns table (outcome text, move_id uuid, posted numeric, currency text)
language plpgsql volatile security definer set search_path = posting, pg_temp as $$
#variable_conflict use_column
declare
  k operations.idempotency_keys;
  first_one postings;
  total numeric;
  new_move uuid;
begin
  if given_key is not null then
    k := operations.claim_key(claimant, given_key, given_request);
    if k.request <> given_request then return query select 'reused', null::uuid, null::numeric, null; return; end if;
    if k.done is not null then
      return query select 'repeated', (k.done ->> 'moveId')::uuid, null::numeric, null;
      return;
    end if;
  end if;
  -- Whoever adds to a payment's postings or reverses one holds its first. What follows sees what they did.
  select * into first_one from postings p where p.payment_id = payment and p.kind = 'payment' and p.move_id is null for update;
  if not found then return; end if;
  if exists (select from postings p where p.payment_id = payment and p.state in ('waiting', 'pending', 'held')) then
    return query select 'unsettled', null::uuid, null::numeric, first_one.currency::text;
    return;
  end if;
  select coalesce(sum(p.amount - p.reversed), 0) into total from postings p
  where p.payment_id = payment and p.kind = 'payment' and p.state = 'posted';
  if total = 0 then return query select 'nothing_posted', null::uuid, total, first_one.currency::text; return; end if;
  if total <> (select sum(a) from unnest(amounts) as a) then
    return query select 'sum_differs', null::uuid, total, first_one.currency::text;
    return;
  end if;
  if exists (select from unnest(amounts) as a where a <> payment_service.exact(a, first_one.currency)) then
    return query select 'too_many_decimals', null::uuid, total, first_one.currency::text;
    return;
  end if;

  if not exists (select from differences(payment, accounts, amounts) as d where d.more <> 0) then
    return query select 'unchanged', null::uuid, total, first_one.currency::text;
    return;
  end if;

  insert into moves (payment_id, reason, actor) values (payment, why, claimant) returning id into new_move;
  with there as (
    select p.*, p.amount - p.reversed as here,
           sum(p.amount - p.reversed) over (partition by p.account_id order by p.position desc) as up_to_here
    from postings p
    where p.payment_id = payment and p.kind = 'payment' and p.state = 'posted' and p.reversed < p.amount
  ), taken as (
    select there.*, least(here, -d.more - (up_to_here - here)) as amount_back
    from there join differences(payment, accounts, amounts) as d on d.account = there.account_id
    where d.more < 0 and -d.more > up_to_here - here
  ), lessened as (
    update postings p set reversed = p.reversed + t.amount_back from taken t where p.id = t.id
  )
  insert into postings (id, kind, payment_id, reference_number, loan_account_number, account_id, amount, currency, effective_on,
                        reverses, move_id, state, reason, actor)
  select gen_random_uuid(), 'reversal', payment, t.reference_number, t.loan_account_number, t.account_id, t.amount_back,
         t.currency, t.effective_on, t.id, new_move, 'pending', why, claimant
  from taken t order by t.position desc;
  insert into postings (id, kind, payment_id, reference_number, loan_account_number, account_id, amount, currency, effective_on,
                        move_id, state, reason, actor)
  select gen_random_uuid(), 'payment', payment, first_one.reference_number, first_one.loan_account_number, d.account, d.more,
         first_one.currency, first_one.effective_on, new_move, 'waiting', why, claimant
  from differences(payment, accounts, amounts) as d where d.more > 0 order by d.account;
  update operations.idempotency_keys i set done = jsonb_build_object('moveId', new_move)
  where i.actor = claimant and i.key = given_key;
  return query select 'moved', new_move, total, first_one.currency::text;
end $$;

-- Who may do what ------------------------------------------------------------------------------------------------
revoke all on all functions in schema posting from public;
revoke all on function live.tell_postings, servicing.loan_named, payment_service.post_again, payment_service.payment_to_post,
  payment_service.reversal_to_post from public;
grant execute on function payment_service.post_again, payment_service.currency_exponent, servicing.loan_named to recoup_posting;
grant select, insert on posting.postings to recoup_posting;
grant update (state, account_id, held_because, held_message, attempts, next_try_at, transfer_id, transfer_version, reversed, decided_at)
  on posting.postings to recoup_posting;
grant select on posting.postings, posting.moves to recoup_api;
grant execute on function posting.match_posting, posting.move_payment to recoup_api;
