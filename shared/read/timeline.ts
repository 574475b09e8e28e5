// All that has happened with a customer, newest first: what events tell of them and of what is theirs, under any of their
// ids. Read from the archive, of which only what names nobody can be read; what was said in a conversation comes from its
// projection, where erasing takes it. An event without its sender's time is below all that have one.

import type { Database } from '../database.ts';
import { instant } from './as-text.ts';
import { loanNumbers } from './loans.ts';
import {
  type Facts,
  type Place,
  type TimelineKind,
  tell,
  timelinePatterns,
  timelineTypes,
} from './timeline-title.ts';

export interface TimelineEntry {
  eventId: string;
  kind: TimelineKind;
  type: string;
  title: string;
  /** The sender's. */
  at: string | null;
  /** What it happened to: kind and id. */
  about: { kind: string; id: string };
  author: string | null;
  words: string | null;
}

// One filter over three indexes, so that an event that is found in several ways comes once.
const statement = `
  with ids as materialized (select servicing.same_customers($1) as id),
  loan as materialized (
    select distinct account_id from servicing.loan_borrowers where customer_id in (select id from ids)
  ),
  ${loanNumbers},
  theirs as materialized (
    select 'customer:' || id as key from ids
    union select 'account:' || account_id from loan
    union select 'schedule:' || schedule_id from servicing.repayment_schedules join loan using (account_id)
    union select 'account_payment:' || payment_key from servicing.account_payments join loan using (account_id)
    union select 'received_payment:' || p.payment_id
      from loan_number n join servicing.received_payments p on p.loan_account_number = n.number
    union select 'application:' || application_number from servicing.applications join ids on id = customer_id
    union select 'conversation:' || conversation_id from servicing.conversations join ids on id = customer_id
    union select 'notification:' || notification_id from servicing.notifications join ids on id = customer_id
    union select 'notification:' || notification_id from servicing.notifications n join loan using (account_id)
      where n.customer_id is null
    union select 'statement:' || statement_id from servicing.statements join ids on id = customer_id
    union select 'statement:' || statement_id from servicing.statements join loan using (account_id)
    union select 'approval:' || request_id from servicing.approvals join ids on id = customer_id
    union select 'approval:' || request_id from servicing.approvals join loan using (account_id)
    union select 'case:' || case_id from servicing.collection_cases join ids on id = customer_id
    union select 'case:' || case_id from servicing.collection_cases join loan using (account_id)
  ),
  page as (
    select e.event_id, e.type, e.aggregate, e.version, e.occurred_at, e.facts
    from servicing.events e
    where (e.aggregate = any (array(select key from theirs)) or e.subject = any (array(select key from theirs))
           or e.related && array(select key from theirs))
      and (e.type = any ($2::text[]) or e.type like any ($3::text[]))
      and ($4::text is null or e.version < $4::text collate "C")
    order by e.version desc limit $5
  )
  select p.event_id as "eventId", p.type, p.aggregate, p.version, ${instant('p.occurred_at')} as at,
    p.facts -> 'payload' as facts, c.author, c.content
  from page p
  left join lateral (
    select author, content from servicing.conversation_entries
    where p.aggregate like 'conversation:%' and conversation_id = substr(p.aggregate collate "default", 14) and event_id = p.event_id
    limit 1
  ) c on true
  order by p.version desc`;

interface Found {
  eventId: string;
  type: string;
  aggregate: string;
  version: string;
  at: string | null;
  facts: Facts | null;
  author: string | null;
  content: string | null;
}

/** What the statement is asked with. */
export const timelineQuery = (
  customerId: string,
  after: string | undefined,
  limit: number,
): [text: string, params: unknown[]] => [
  statement,
  [customerId, timelineTypes, timelinePatterns, after ?? null, limit + 1],
];

/** `customerId` is any id of theirs; `after` is the `next` of an earlier page. */
export async function readTimeline(
  db: Database,
  customerId: string,
  { after, limit, place }: { after?: string | undefined; limit: number; place: Place },
): Promise<{ rows: TimelineEntry[]; next: string | undefined }> {
  const found = await db.query<Found>(...timelineQuery(customerId, after, limit));
  return {
    rows: found.slice(0, limit).map((row) => entry(row, place)),
    next: found.length > limit ? found[limit - 1]?.version : undefined,
  };
}

function entry({ eventId, type, aggregate, at, facts, author, content }: Found, place: Place): TimelineEntry {
  const colon = aggregate.indexOf(':');
  const about = { kind: aggregate.slice(0, colon), id: aggregate.slice(colon + 1) };
  return { eventId, type, ...tell(type, facts ?? {}, place), at, about, author, words: content };
}
