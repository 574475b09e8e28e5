-- What the edge on Node warms its memory with before it reports ready, under a role that may do nothing else but tell that it lives: of each
-- of the latest payments its identity, its id and the hash of its facts, newest first. No amount, no account.
do $$
begin
  create role recoup_edge nologin;
exception when duplicate_object or unique_violation then null;
end $$;

-- The hash is that of shared/payments/payment.ts (factsHash); a test compares them.
create function payment_service.facts_hash(amount numeric, currency text, loan_account_number text, paid_on date) returns text
language sql stable parallel safe as $$
  select encode(sha256(convert_to(concat('[', concat_ws(',', to_json(payment_service.exact(amount, currency)::text),
    to_json(currency), to_json(loan_account_number), to_json(to_char(paid_on, 'YYYY-MM-DD'))), ']'), 'UTF8')), 'hex')
$$;

create function payment_service.recent_payments(most int)
returns table (namespace text, reference_number text, payment_id uuid, facts_hash text)
language sql stable security definer set search_path = payment_service, pg_temp as $$
  select namespace, reference_number, payment_id, facts_hash(amount, currency, loan_account_number, paid_on)
  from payment_references order by created_at desc limit most
$$;

revoke all on function payment_service.facts_hash, payment_service.recent_payments from public;
grant usage on schema payment_service, operations to recoup_edge;
grant execute on function payment_service.recent_payments to recoup_edge;
grant select, insert, update, delete on operations.heartbeats to recoup_edge;
