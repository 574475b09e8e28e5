-- Servicing events that come over HTTP are kept in the inbox before they are answered.

-- Keeps events, each on its own, and answers by position: `accepted` (it waits in the inbox now), `duplicate` (known
-- with the same hash: folded, waiting, or earlier in this batch) or `conflict` (known with another hash; not kept).
create function servicing.keep_events(new_ids text[], new_hashes uuid[], new_fields text[], new_source text)
returns table ("position" int, outcome text)
language plpgsql volatile security definer set search_path = servicing, pg_temp as $$
#variable_conflict use_column
declare
  won text[] := '{}';
  outcomes text[];
begin
  loop
    -- In the order of their ids, as by every writer, so that two batches cannot deadlock.
    with kept as (
      insert into inbox (event_id, payload_hash, fields, source)
      select distinct on (g.id) g.id, g.hash, g.fields::jsonb, new_source
      from unnest(new_ids, new_hashes, new_fields) with ordinality as g (id, hash, fields, n)
      where not exists (select from event_ids e where e.event_id = g.id)
      order by g.id, g.n
      on conflict (event_id) do nothing
      returning event_id
    )
    select won || coalesce(array_agg(event_id), '{}') into won from kept;
    -- One that waited for a fold to end is in event_ids by now, which only a statement that began later can see.
    with late as (
      delete from inbox i using event_ids e where i.event_id = e.event_id and i.event_id = any (won)
      returning i.event_id
    )
    select coalesce(array_agg(id), '{}') into won
    from unnest(won) as id where not exists (select from late where late.event_id = id);

    outcomes := array(
      select case
        when g.id = any (won) and g.n = min(g.n) over (partition by g.id) then 'accepted'
        -- The hash of an event whose person was erased is no more: whatever comes under its id is a repetition.
        when coalesce(e.payload_hash, i.payload_hash) in (g.hash, '00000000-0000-0000-0000-000000000000') then 'duplicate'
        when e.event_id is not null or i.event_id is not null then 'conflict'
      end
      from unnest(new_ids, new_hashes) with ordinality as g (id, hash, n)
      left join event_ids e on e.event_id = g.id
      left join inbox i on i.event_id = g.id
      order by g.n
    );
    -- What it lost to has been buried since: then nobody has it, and it is tried again.
    exit when array_position(outcomes, null::text) is null;
  end loop;
  return query select o.n::int, o.outcome from unnest(outcomes) with ordinality as o (outcome, n) order by o.n;
end $$;

revoke all on function servicing.keep_events from public;
grant usage on schema servicing to recoup_webhooks;
grant execute on function servicing.keep_events to recoup_webhooks;
