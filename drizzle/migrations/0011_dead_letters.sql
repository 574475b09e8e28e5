-- Dead letters: staff replay or discard those that wait, and each is decided once. What waits stays for good; what is
-- decided goes after 90 days.
create index dead_letters_decided on servicing.dead_letters (decided_at) where status <> 'waiting';

-- Replays or discards letters by id. Answers the status that each had before; for an id that is not answered there is no
-- letter. One that was decided before stays as it is. A replayed letter's fields go to the inbox, from where they are
-- read, deduplicated and folded as if they came for the first time; they bear no event id, so that two letters of one
-- event can both be tried.
create function servicing.decide_dead_letters(letters uuid[], new_status text, why text, who text)
returns table (letter_id uuid, status_before text)
language plpgsql volatile security definer set search_path = servicing, pg_temp as $$
begin
  -- What is locked here was seen as it is now, and nobody else decides it before we are done. The order is that in
  -- which letters are buried.
  return query
  with found as materialized (
    select d.id, d.status, d.fields, d.buried_at from dead_letters d
    where d.id = any (letters) order by d.source, d.entry_id for update
  ), decided as (
    update dead_letters d set status = new_status, decided_by = who, decided_reason = why, decided_at = now()
    from found where d.id = found.id and found.status = 'waiting'
  ), replayed as (
    insert into inbox (fields, source)
    select found.fields, 'dead-letter:' || found.id from found
    where found.status = 'waiting' and new_status = 'replayed' order by found.buried_at, found.id
  )
  select found.id, found.status from found;
end $$;

-- The same for those that wait and match all that is given, the oldest first, at most so many; answers how many are left.
create function servicing.decide_matching_dead_letters(
  of_type text, from_source text, reason_prefix text, buried_before timestamptz, at_most int,
  new_status text, why text, who text
) returns table (decided int, remaining int)
language plpgsql volatile security definer set search_path = servicing, pg_temp as $$
declare
  letters uuid[];
begin
  letters := array(
    select d.id from dead_letters d
    where d.status = 'waiting' and (of_type is null or d.type = of_type) and (from_source is null or d.source = from_source)
      and (reason_prefix is null or starts_with(d.reason, reason_prefix))
      and (buried_before is null or d.buried_at < buried_before)
    order by d.buried_at, d.id limit at_most for update skip locked
  );
  perform decide_dead_letters(letters, new_status, why, who);
  return query
  select cardinality(letters), count(*)::int from dead_letters d
  where d.status = 'waiting' and (of_type is null or d.type = of_type) and (from_source is null or d.source = from_source)
    and (reason_prefix is null or starts_with(d.reason, reason_prefix))
    and (buried_before is null or d.buried_at < buried_before);
end $$;

create function servicing.remove_old_dead_letters(at_most int) returns int
language sql volatile security definer set search_path = servicing, pg_temp as $$
  with removed as (
    delete from dead_letters where id in (
      select id from dead_letters where status <> 'waiting' and decided_at < now() - interval '90 days'
      order by decided_at limit at_most for update skip locked)
    returning 1
  )
  select count(*)::int from removed
$$;

revoke all on function servicing.decide_dead_letters, servicing.decide_matching_dead_letters, servicing.remove_old_dead_letters
  from public;
grant execute on function servicing.decide_dead_letters, servicing.decide_matching_dead_letters to recoup_api;
grant usage on schema servicing to recoup_ingest;
grant execute on function servicing.remove_old_dead_letters to recoup_ingest;
-- An entry that is buried again while it waits tells what is wrong with it now.
grant update (reason, stack) on servicing.dead_letters to recoup_projector;
