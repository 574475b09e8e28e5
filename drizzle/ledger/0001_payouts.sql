-- What events say of loans that were paid out; one may come before its loan.
create table ledger.payouts (
  loan_id text primary key check (loan_id <> ''),
  effective_on date not null,
  told_at timestamptz not null default now()
);
grant select, insert on ledger.payouts to recoup_ledger;
