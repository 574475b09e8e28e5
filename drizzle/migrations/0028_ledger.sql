-- The ledger has a database of its own; here its process says that it lives, and nothing else.
do $$
begin
  create role recoup_ledger nologin;
exception when duplicate_object or unique_violation then null;
end $$;
grant usage on schema operations to recoup_ledger;
grant select, insert, update, delete on operations.heartbeats to recoup_ledger;
