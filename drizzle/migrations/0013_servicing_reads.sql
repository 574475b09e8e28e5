-- What screens look up in the projections besides the ways that folding needs.
create index loan_accounts_by_application on servicing.loan_accounts (application_number);
create index statements_by_customer on servicing.statements (customer_id);
create index approvals_by_customer on servicing.approvals (customer_id);
create index collection_cases_by_customer on servicing.collection_cases (customer_id);

-- Hardly anybody was more than one customer. The planner would expect a thousand, and read tables whole for them.
alter function servicing.same_customers rows 2;
