-- What staff search and list by. Each index below is one list's order or one way of searching; shared/read/plans.int.test.ts
-- holds the statements to them.
create extension if not exists pg_trgm;

-- Names as they are compared and put in order: small letters without accents, as far as one letter stands for another.
-- Cut, because an index holds no longer ones. shared/read/search.ts does the same with what somebody types.
create function servicing.name_key(name text) returns text
language sql immutable parallel safe strict
return left(lower(translate(replace(replace(
  regexp_replace(normalize(name, nfd), '[\u0300-\u036f''’`´]', '', 'g'), 'ß', 'ss'), 'æ', 'ae'), 'ØøŁłĐđı', 'oolldDi')), 200);

-- Its cost keeps the planner from reading customers one by one and asking it of each.
create function servicing.name_words_of(name text) returns text[]
language sql immutable parallel safe strict cost 5000
return array(select distinct left(word, 40)
             from string_to_table(translate(servicing.name_key(name), E'.,;:/()_-\t\r\n', repeat(' ', 12)), ' ') as word
             where word <> '');

-- The word and what is left of it without one of its letters: two words that differ by one letter, or by two letters in
-- each other's place, have one of these in common. Short words would have too much in common.
create function servicing.near_keys(word text) returns text[]
language sql immutable parallel safe strict
return array(select word union select overlay(word placing '' from n for 1) from generate_series(1, length(word)) as n
             where length(word) >= 4);

drop index servicing.customers_by_name, servicing.customers_by_last_name, servicing.customers_by_phone;
create index customers_by_name_words on servicing.customers using gin (servicing.name_words_of(full_name)) with (fastupdate = off);
-- From its end, since nobody knows how a number's beginning is spelled.
create index customers_by_phone on servicing.customers (reverse(phone_digits) text_pattern_ops);
create index customers_by_id on servicing.customers (customer_id text_pattern_ops);

-- Every word that is in a name, once. A typed word is compared with these, and never with a million names.
create table servicing.name_words (word text collate "C" primary key);
create index name_words_alike on servicing.name_words using gin (word gin_trgm_ops) with (fastupdate = off);
create index name_words_near on servicing.name_words using gin (servicing.near_keys(word)) with (fastupdate = off);
-- Words that somebody's name has lost. Whether anybody else has them is asked when a person is erased: then nothing else is folded.
create table servicing.name_words_left (word text collate "C" primary key);

-- Sorted and in one statement a transaction, so that no two folds wait for each other.
create function servicing.note_name_words() returns trigger
language plpgsql security definer set search_path = servicing, pg_temp as $$
begin
  insert into name_words
  select distinct words.word from told cross join unnest(name_words_of(told.full_name)) as words (word)
  where not exists (select from name_words known where known.word = words.word collate "C")
  order by 1 on conflict do nothing;
  if tg_op = 'UPDATE' then
    insert into name_words_left
    select distinct words.word from before join told using (customer_id)
    cross join unnest(name_words_of(before.full_name)) as words (word)
    where before.full_name is distinct from told.full_name and words.word <> all (coalesce(name_words_of(told.full_name), '{}'))
    order by 1 on conflict do nothing;
  end if;
  return null;
end $$;
create trigger name_words_of_new after insert on servicing.customers
  referencing new table as told for each statement execute function servicing.note_name_words();
create trigger name_words_of_changed after update on servicing.customers
  referencing old table as before new table as told for each statement execute function servicing.note_name_words();

-- To be called under the lock of erasing alone.
create function servicing.forget_name_words() returns void
language sql volatile security definer set search_path = servicing, pg_temp as $$
  delete from name_words w using name_words_left gone
  where w.word = gone.word
    and not exists (select from customers c where name_words_of(c.full_name) @> array[gone.word collate "default"]);
  delete from name_words_left;
$$;

-- When events last told something of the customer themselves.
alter table servicing.customers add column told_at timestamptz;
with told as (
  select c.customer_id, max(left(split_part(version, ' ', 1), 26)) as at
  from servicing.customers c
  cross join lateral (
    select c.state -> 'created' ->> 0 union all select value ->> 0 from json_each(c.state -> 'fields')
  ) as said (version)
  group by c.customer_id
)
update servicing.customers c set told_at = (rtrim(told.at, 'Z') || 'Z')::timestamptz
from told where told.customer_id = c.customer_id and told.at <> '';
insert into servicing.name_words
select distinct word from servicing.customers cross join unnest(servicing.name_words_of(full_name)) as words (word)
on conflict do nothing;

-- Lists. What is unknown is last, whichever way it is read.
create index customers_in_order_of_name on servicing.customers
  (coalesce(servicing.name_key(full_name), chr(1114111)) collate "C", customer_id collate "C");
create index customers_in_order_of_news on servicing.customers (coalesce(told_at, '-infinity'), customer_id collate "C");

drop index servicing.loan_accounts_by_number;
create index loan_accounts_by_number on servicing.loan_accounts (account_number text_pattern_ops);
create index loan_accounts_in_order_of_days on servicing.loan_accounts (coalesce(days_past_due, -1), account_id collate "C");
create index loan_accounts_in_order_of_opening on servicing.loan_accounts (coalesce(opened_at, '-infinity'), account_id collate "C");
create index loan_accounts_in_order_of_balance on servicing.loan_accounts
  (coalesce(current_balance, '-infinity'), account_id collate "C");
create index loan_accounts_by_status on servicing.loan_accounts (status, account_id collate "C");
create index loan_accounts_by_currency on servicing.loan_accounts (currency);
-- Small: most loans are not late. What is owed is in it, so that it alone is read to add it up.
create index loan_accounts_in_arrears on servicing.loan_accounts (days_past_due) include (status, currency, arrears_amount)
  where days_past_due > 0;

-- What falls due on a day, counted by a job: whether an instalment counts hangs on its schedule and its loan, and looking
-- these up for all that is due in a week takes seconds where there are a million loans.
create table servicing.due_days (
  due_on date not null,
  currency text,
  instalments int not null,
  amount numeric(38, 4) not null,
  counted_at timestamptz not null,
  unique nulls not distinct (due_on, currency)
);
-- Counts anew the days from `first` to `last`, and forgets all others. An instalment counts when its schedule is the one
-- that holds (shared/read/loans.ts), does not call it paid, and its loan is not over. Each is looked up by its key.
create function servicing.count_due(first date, last date) returns int
language plpgsql volatile security definer set search_path = servicing, pg_temp as $$
declare
  counted int;
begin
  delete from due_days;
  insert into due_days (due_on, currency, instalments, amount, counted_at)
  select i.due_on, coalesce(s.currency, a.currency), count(*), coalesce(sum(i.amount), 0), now()
  from instalments i
  cross join lateral (
    select account_id, currency, schedule_id from repayment_schedules s where s.schedule_id = i.schedule_id limit 1) s
  cross join lateral (
    select currency from loan_accounts a
    where a.account_id = s.account_id and coalesce(a.status, '') not in ('paid_off', 'closed', 'written_off') limit 1) a
  where i.due_on between first and last and i.status is distinct from 'paid'
    and s.schedule_id = (
      select l.schedule_id from repayment_schedules l where l.account_id = s.account_id
      order by l.version desc, l.schedule_id desc limit 1)
  group by 1, 2;
  get diagnostics counted = row_count;
  return counted;
end $$;
create index instalments_by_day on servicing.instalments (due_on) include (schedule_id, amount, status);
create index account_payments_to_come on servicing.account_payments (scheduled_on) include (currency, amount) where status = 'scheduled';

create index received_payments_by_reference on servicing.received_payments (reference_number text_pattern_ops);

create index applications_by_id on servicing.applications (application_number text_pattern_ops);
create index conversations_by_id on servicing.conversations (conversation_id text_pattern_ops);
create index conversations_in_order on servicing.conversations
  (coalesce(last_message_at, started_at, '-infinity'), conversation_id collate "C");
create index conversation_entries_in_order on servicing.conversation_entries (conversation_id, version);

grant usage on schema public to recoup_projector;
grant select on servicing.name_words, servicing.due_days to recoup_api;
revoke all on function servicing.note_name_words, servicing.forget_name_words, servicing.count_due, servicing.name_key,
  servicing.name_words_of, servicing.near_keys from public;
-- Who writes customers keeps their indexes, too.
grant execute on function servicing.name_key, servicing.name_words_of to recoup_projector, recoup_api;
grant execute on function servicing.near_keys to recoup_api;
grant execute on function servicing.forget_name_words to recoup_projector;
grant execute on function servicing.count_due to recoup_ingest;
