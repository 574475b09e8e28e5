// One customer on one screen, in one statement. Somebody who was several customers is the surviving one: what the
// survivor lacks is taken from those merged into them, the one merged last first, a name and an address always as a whole.

import type { Database } from '../database.ts';
import type { Note } from '../notes/note.ts';
import { ended } from './aging.ts';
import { decimal, instant } from './as-text.ts';
import { type Instalment, type LastPayment, lastPaymentOf, loanFacts, nextInstalmentOf } from './loans.ts';
import { firstNotes } from './notes.ts';
import { customerNamed } from './resolve.ts';

interface CustomerLoan {
  accountId: string;
  accountNumber: string | null;
  role: string;
  status: string | null;
  currency: string | null;
  currentBalance: string | null;
  arrearsAmount: string | null;
  daysPastDue: number | null;
  missedInstalments: number;
  nextInstalment: Instalment | null;
  lastPayment: LastPayment | null;
}

interface Payment {
  at: string;
  amount: string | null;
  currency: string | null;
  source: 'processed' | 'received';
  reference: string | null;
  accountId: string;
  accountNumber: string | null;
}

interface Counted<Latest> {
  count: number;
  latest: Latest | null;
}

interface Conversation {
  conversationId: string;
  channel: string | null;
  status: string | null;
  startedAt: string | null;
  lastMessageAt: string | null;
  summary: string | null;
}

interface Approval {
  requestId: string;
  kind: string | null;
  accountId: string | null;
  amount: string | null;
  currency: string | null;
  requestedBy: string | null;
  requestedAt: string | null;
}

interface Case {
  caseId: string;
  accountId: string | null;
  status: string | null;
  step: number | null;
  stopContact: boolean;
  openedAt: string | null;
}

export interface Customer {
  customerId: string;
  /** Theirs and those of all who were merged into them, theirs first. */
  ids: string[];
  /** The newest that is known. */
  cif: string | null;
  identifiers: Array<{ type: string; value: string }>;
  /** Something that was known of them has been erased. */
  erased: boolean;
  firstName: string | null;
  lastName: string | null;
  fullName: string | null;
  emailAddress: string | null;
  mobilePhoneNumber: string | null;
  dateOfBirth: string | null;
  ekycStatus: string | null;
  verified: boolean;
  verifiedAt: string | null;
  residentialAddress: unknown;
  mailingAddress: unknown;
  /** What whoever speaks to them must know, as far as events tell. */
  flags: {
    /** A case is paused for hardship. */
    hardship: boolean;
    /** A case says that they must not be contacted. */
    stopContact: boolean;
    writtenOff: boolean;
    /** They were several customers. */
    merged: boolean;
  };
  loans: CustomerLoan[];
  /** What is late of their loans that are not over. */
  arrears: Array<{ currency: string | null; amount: string | null; accounts: number; daysPastDue: number }>;
  /** The newest five; of each loan those of our log, or where it has none those that its system processed. */
  lastPayments: Payment[];
  conversations: Counted<Conversation>;
  /** The three that were active last. */
  recentConversations: Conversation[];
  applications: Counted<{
    applicationNumber: string;
    status: string | null;
    loanAmount: string | null;
    currency: string | null;
    submittedAt: string | null;
    decision: string | null;
  }>;
  notifications: Counted<{
    notificationId: string;
    kind: string | null;
    channel: string | null;
    template: string | null;
    status: string | null;
    at: string | null;
  }>;
  /** Those that wait for a decision. */
  openApprovals: Counted<Approval>;
  /** The newest of these. */
  openRequests: Approval[];
  cases: Counted<Case>;
  /** The newest of those that have not ended. */
  openCases: Case[];
  /** Of staff: the pinned ones, then the newest, five of them. */
  notes: Note[];
}

/** The first that is known, in the order of members. */
const first = (column: string, known = column) =>
  `(array_agg(${column} order by m.rank) filter (where ${known} is not null))[1]`;

/** Those of a table that are this customer's: how many, and the latest. */
const counted = (table: string, theirs: string, { latest, fields }: { latest: string; fields: string }) => `(
  select json_build_object('count', count(*)::int,
    'latest', (array_agg(json_build_object(${fields}) order by ${latest}))[1])
  from ${table} t where ${theirs})`;

/** The first of them, as a list. */
const newest = (
  table: string,
  theirs: string,
  { latest, fields }: { latest: string; fields: string },
  limit: number,
) => `(
  select coalesce(json_agg(json_build_object(${fields}) order by ${latest}), '[]')
  from (select * from ${table} t where ${theirs} order by ${latest} limit ${limit}) t)`;

// Arrays, so that the indexes of both can be put together.
const ofTheirs = 't.customer_id = any (array(select id from ids))';
const ofTheirLoans = 't.account_id = any (array(select account_id from loan))';

const recentLimit = { payments: 5, conversations: 3, requests: 10, cases: 10, notes: 5 };

const conversationFields = {
  latest: 'coalesce(t.last_message_at, t.started_at) desc nulls last, t.conversation_id desc',
  fields: `'conversationId', t.conversation_id, 'channel', t.channel, 'status', t.status,
    'startedAt', ${instant('t.started_at')}, 'lastMessageAt', ${instant('t.last_message_at')}, 'summary', t.summary`,
};
const approvalFields = {
  latest: 't.requested_at desc nulls last, t.request_id desc',
  fields: `'requestId', t.request_id, 'kind', t.kind, 'accountId', t.account_id, 'currency', t.currency,
    'amount', ${decimal('t.amount', 't.currency')}, 'requestedBy', t.requested_by,
    'requestedAt', ${instant('t.requested_at')}`,
};
const caseFields = {
  latest: 't.opened_at desc nulls last, t.case_id desc',
  fields: `'caseId', t.case_id, 'accountId', t.account_id, 'status', t.status, 'step', t.step,
    'stopContact', t.stop_contact, 'openedAt', ${instant('t.opened_at')}`,
};
const lasting = `t.status in ('open', 'paused')`;

const statement = `
  with me as materialized (${customerNamed('$1::text')}),
  ids as materialized (select same.id from me cross join lateral servicing.same_customers(me.id) as same (id)),
  member as materialized (
    select ids.id, c.*, row_number() over (order by ids.id <> me.id, c.merged_version desc nulls last, ids.id) as rank
    from ids cross join me left join servicing.customers c on c.customer_id = ids.id
  ),
  name as materialized (
    select m.rank, i.kind, i.value, i.version from member m join servicing.identifiers i on i.target = 'customer:' || m.id
    where i.target <> 'customer:' || i.value
  ),
  profile as (
    select ${first('m.first_name', 'm.full_name')} as first_name, ${first('m.last_name', 'm.full_name')} as last_name,
      ${first('m.full_name')} as full_name, ${first('m.email_address')} as email_address,
      ${first('m.mobile_phone_number')} as mobile_phone_number, ${first('m.date_of_birth')} as date_of_birth,
      ${first('m.ekyc_status')} as ekyc_status, coalesce(bool_or(m.verified), false) as verified,
      max(m.verified_at) as verified_at, ${first('m.residential_address')} as residential_address,
      ${first('m.mailing_address')} as mailing_address
    from member m
  ),
  loan as materialized (
    select b.account_id, min(b.role) filter (where b.role = 'borrower') as main_role, min(b.role) as role
    from servicing.loan_borrowers b where b.customer_id in (select id from ids) group by b.account_id
  ),
  talk as materialized (select * from servicing.conversations t where ${ofTheirs}),
  request as materialized (
    select * from servicing.approvals t where t.status = 'requested' and (${ofTheirs} or ${ofTheirLoans})
  ),
  collection as materialized (select * from servicing.collection_cases t where ${ofTheirs} or ${ofTheirLoans}),
  ${loanFacts('$2::date')}
  select me.id as "customerId",
    (select json_agg(m.id order by m.rank) from member m) as ids,
    (select n.value from name n where n.kind = 'cif' order by n.version desc, n.rank, n.value limit 1) as cif,
    (select coalesce(json_agg(json_build_object('type', n.kind, 'value', n.value) order by n.kind, n.value), '[]')
     from (select distinct kind, value from name) n) as identifiers,
    exists (select from member m join servicing.subject_keys k on k.subject = 'customer:' || m.id
            where k.erased_at is not null) as erased,
    p.first_name as "firstName", p.last_name as "lastName", p.full_name as "fullName", p.email_address as "emailAddress",
    p.mobile_phone_number as "mobilePhoneNumber", p.date_of_birth as "dateOfBirth", p.ekyc_status as "ekycStatus",
    p.verified, ${instant('p.verified_at')} as "verifiedAt", p.residential_address as "residentialAddress",
    p.mailing_address as "mailingAddress",
    json_build_object(
      'hardship', exists (select from collection t where t.status = 'paused'),
      'stopContact', exists (select from collection t where t.stop_contact),
      'writtenOff', exists (select from account a where a.status = 'written_off'),
      'merged', (select count(*) > 1 from ids)) as flags,
    (select coalesce(json_agg(json_build_object('currency', late.currency,
        'amount', ${decimal('late.amount', 'late.currency')}, 'accounts', late.accounts, 'daysPastDue', late.days)
        order by late.currency), '[]')
     from (
       select a.currency, sum(a.arrears_amount) as amount, count(*)::int as accounts, max(a.days_past_due) as days
       from account a where a.days_past_due > 0 and (a.status is null or a.status not in (${ended})) group by a.currency
     ) late) as arrears,
    (select coalesce(json_agg(json_build_object('at', ${instant('paid.at')}, 'amount', ${decimal('paid.amount', 'paid.currency')},
        'currency', paid.currency, 'source', paid.source, 'reference', paid.reference, 'accountId', paid.account_id,
        'accountNumber', (select a.account_number from account a where a.account_id = paid.account_id))
        order by paid.at desc, paid.reference), '[]')
     from (
       select * from (
         select account_id, paid_at as at, net as amount, currency, 'received' as source, reference_number as reference
         from received
         union all
         select account_id, processed_at, amount, currency, 'processed', payment_key
         from processed p where not exists (select from received r where r.account_id = p.account_id)
       ) known where known.at is not null order by known.at desc, known.reference limit ${recentLimit.payments}
     ) paid) as "lastPayments",
    (select coalesce(json_agg(json_build_object('accountId', a.account_id, 'accountNumber', a.account_number,
        'role', coalesce(l.main_role, l.role), 'status', a.status, 'currency', a.currency,
        'currentBalance', ${decimal('a.current_balance', 'a.currency')},
        'arrearsAmount', ${decimal('a.arrears_amount', 'a.currency')}, 'daysPastDue', a.days_past_due,
        'missedInstalments', (select count(*)::int from instalment i where i.account_id = a.account_id and i.state = 'missed'),
        'nextInstalment', ${nextInstalmentOf('a', '$2::date')},
        'lastPayment', ${lastPaymentOf('a')}) order by a.opened_at desc nulls last, a.account_id), '[]')
     from account a join loan l using (account_id)) as loans,
    ${counted('talk', 'true', conversationFields)} as conversations,
    ${newest('talk', 'true', conversationFields, recentLimit.conversations)} as "recentConversations",
    ${counted('servicing.applications', ofTheirs, {
      latest: 'coalesce(t.submitted_at, t.decided_at) desc nulls last, t.application_number desc',
      fields: `'applicationNumber', t.application_number, 'status', t.status, 'currency', t.currency,
        'loanAmount', ${decimal('t.loan_amount', 't.currency')}, 'submittedAt', ${instant('t.submitted_at')},
        'decision', t.decision`,
    })} as applications,
    ${counted('servicing.notifications', `${ofTheirs} or t.customer_id is null and ${ofTheirLoans}`, {
      latest: 'greatest(t.sent_at, t.failed_at) desc nulls last, t.notification_id desc',
      fields: `'notificationId', t.notification_id, 'kind', t.kind, 'channel', t.channel, 'template', t.template,
        'status', t.status, 'at', ${instant('greatest(t.sent_at, t.failed_at)')}`,
    })} as notifications,
    ${counted('request', 'true', approvalFields)} as "openApprovals",
    ${newest('request', 'true', approvalFields, recentLimit.requests)} as "openRequests",
    ${counted('collection', 'true', caseFields)} as cases,
    ${newest('collection', lasting, caseFields, recentLimit.cases)} as "openCases",
    ${firstNotes('array(select id from ids)', recentLimit.notes)} as notes
  from me cross join profile p`;

/** By any name of theirs or of what is theirs; `today` is the business zone's calendar date. */
export async function readCustomer(db: Database, name: string, today: string): Promise<Customer | undefined> {
  const [row] = await db.query<Customer>(statement, [name, today]);
  return row;
}
