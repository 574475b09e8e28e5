-- What providers' channels bring beside payments: notices, about which the provider is asked, and bodies that were signed
-- and could not be read.

-- A notice is told apart by the provider's own id of it. `waiting` is asked at `next_try_at`; whoever asks moves that into
-- the future first, so that nobody else does meanwhile, and a claim that dies is taken over. `attempts` names the claim.
-- A standing notice comes again and again under one reference: `times_seen` tells whether it came while it was asked.
create table payment_service.payment_notices (
  id uuid primary key default gen_random_uuid(),
  channel text not null,
  notice_reference varchar(255) not null,
  subject text not null,
  payload text not null,
  standing boolean not null,
  actor text not null,
  status text not null default 'waiting' check (status in ('waiting', 'done', 'failed')),
  attempts int not null default 0,
  next_try_at timestamptz not null default now(),
  last_error text,
  cursor text,
  times_seen int not null default 1,
  retried_by text,
  retried_at timestamptz,
  settled_at timestamptz,
  created_at timestamptz not null default now(),
  constraint one_row_per_notice unique (channel, notice_reference),
  constraint failed_says_why check (status <> 'failed' or last_error is not null),
  constraint settled_has_time check ((status = 'waiting') = (settled_at is null))
);
create index payment_notices_waiting on payment_service.payment_notices (next_try_at) where status = 'waiting';
create index payment_notices_done on payment_service.payment_notices (settled_at) where status = 'done';
create index payment_notices_newest on payment_service.payment_notices (created_at desc, id desc);

-- Keeps notices, each once. Answers per position: 'kept', also for a standing one that is to be asked again, or
-- 'duplicate'.
create function payment_service.keep_notices(
  channels text[], notice_references text[], subjects text[], payloads text[], standings boolean[], actors text[]
) returns table ("position" int, outcome text)
language plpgsql volatile security definer set search_path = payment_service, pg_temp as $$
#variable_conflict use_column
declare
  n int;
begin
  -- In the order of their identity, as by every writer, so that two batches cannot deadlock.
  for n in select g from generate_subscripts(channels, 1) as g order by channels[g], notice_references[g], g loop
    insert into payment_notices as known (channel, notice_reference, subject, payload, standing, actor)
    values (channels[n], notice_references[n], subjects[n], payloads[n], standings[n], actors[n])
    on conflict on constraint one_row_per_notice do update
      set times_seen = known.times_seen + 1, status = 'waiting', settled_at = null,
          attempts = case when known.status = 'waiting' then known.attempts else 0 end,
          next_try_at = case when known.status = 'waiting' then known.next_try_at else now() end
      where known.standing;
    "position" := n;
    outcome := case when found then 'kept' else 'duplicate' end;
    return next;
  end loop;
end $$;

-- Has a notice asked again from the start. Answers its status before; no row means there is none. One that waits is
-- asked at once, one that is done is left alone.
create function payment_service.retry_notice(notice uuid, new_actor text) returns table (status_before text)
language plpgsql volatile security definer set search_path = payment_service, pg_temp as $$
declare
  before text;
begin
  select n.status into before from payment_notices n where n.id = notice for update;
  if not found then return; end if;
  if before <> 'done' then
    update payment_notices
    set status = 'waiting', settled_at = null, next_try_at = now(), retried_by = new_actor, retried_at = now(),
        attempts = case when before = 'failed' then 0 else attempts end
    where id = notice;
  end if;
  return query select before;
end $$;

-- A notice that is done is kept as long as a provider might send it again, and far longer.
create function payment_service.remove_old_notices(at_most int) returns int
language sql volatile security definer set search_path = payment_service, pg_temp as $$
  with removed as (
    delete from payment_notices where id in (
      select id from payment_notices
      where status = 'done' and not standing and settled_at < now() - interval '90 days'
      order by settled_at limit at_most for update skip locked)
    returning 1
  )
  select count(*)::int from removed
$$;

-- A body that was signed and could not be read, masked; kept for 30 days after it was last seen.
create table payment_service.rejected_bodies (
  id uuid primary key default gen_random_uuid(),
  channel text not null,
  body_hash text not null,
  body text not null,
  masked boolean not null,
  altered boolean not null,
  refusal jsonb not null,
  request_id text not null,
  times_seen int not null default 1,
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  status text not null default 'open' check (status in ('open', 'resent', 'dismissed')),
  decided_by text,
  decided_at timestamptz,
  reason text,
  -- What was sent in its place, where it was corrected.
  resent_body text,
  constraint one_row_per_body unique (channel, body_hash),
  constraint decision_is_whole check ((status = 'open') = (decided_by is null) and (status = 'open') = (decided_at is null)),
  constraint dismissed_has_reason check (status <> 'dismissed' or reason is not null)
);
create index rejected_bodies_newest on payment_service.rejected_bodies (first_seen_at desc, id desc);
create index rejected_bodies_age on payment_service.rejected_bodies (last_seen_at);

create function payment_service.keep_rejected_bodies(
  channels text[], body_hashes text[], bodies text[], maskeds boolean[], altereds boolean[], refusals text[], request_ids text[]
) returns void
language sql volatile security definer set search_path = payment_service, pg_temp as $$
  insert into rejected_bodies as known (channel, body_hash, body, masked, altered, refusal, request_id)
  select distinct on (i.channel, i.body_hash) i.channel, i.body_hash, i.body, i.masked, i.altered, i.refusal::jsonb, i.request_id
  from unnest(channels, body_hashes, bodies, maskeds, altereds, refusals, request_ids)
    as i(channel, body_hash, body, masked, altered, refusal, request_id)
  order by i.channel, i.body_hash
  on conflict on constraint one_row_per_body
    do update set times_seen = known.times_seen + 1, last_seen_at = now(), refusal = excluded.refusal, request_id = excluded.request_id
$$;

-- The first decision stands. Answers the status before; no row means there is none.
create function payment_service.decide_rejected_body(rejected uuid, new_status text, why text, corrected text, new_actor text)
returns table (status_before text)
language plpgsql volatile security definer set search_path = payment_service, pg_temp as $$
declare
  before text;
begin
  select b.status into before from rejected_bodies b where b.id = rejected for update;
  if not found then return; end if;
  if before = 'open' then
    update rejected_bodies
    set status = new_status, decided_by = new_actor, decided_at = now(), reason = why, resent_body = corrected
    where id = rejected;
  end if;
  return query select before;
end $$;

create function payment_service.remove_old_rejected_bodies(at_most int) returns int
language sql volatile security definer set search_path = payment_service, pg_temp as $$
  with removed as (
    delete from rejected_bodies where id in (
      select id from rejected_bodies where last_seen_at < now() - interval '30 days' order by last_seen_at limit at_most
      for update skip locked)
    returning 1
  )
  select count(*)::int from removed
$$;

revoke all on function payment_service.keep_notices, payment_service.retry_notice, payment_service.keep_rejected_bodies,
  payment_service.decide_rejected_body, payment_service.remove_old_rejected_bodies, payment_service.remove_old_notices from public;
grant execute on function payment_service.keep_notices to recoup_webhooks, recoup_api, recoup_ingest;
grant execute on function payment_service.keep_rejected_bodies to recoup_webhooks;
grant execute on function payment_service.retry_notice, payment_service.decide_rejected_body to recoup_api;
grant execute on function payment_service.remove_old_rejected_bodies, payment_service.remove_old_notices, payment_service.record_payments,
  payment_service.reverse_payments, payment_service.record_failures to recoup_ingest;
grant select on payment_service.payment_notices, payment_service.rejected_bodies to recoup_api;
grant select, update on payment_service.payment_notices to recoup_ingest;
