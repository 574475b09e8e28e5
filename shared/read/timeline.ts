// All that has happened with a customer, newest first: what events tell of them and of what is theirs, under any of their
// ids. Read from the archive, of which only what names nobody can be read; what was said in a conversation comes from its
// projection, where erasing takes it. An event without its sender's time is below all that have one.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import { instant } from './as-text.ts';
import type { ListRefusal } from './list.ts';
import { loanNumbers } from './loans.ts';
import { pageKeys, type TextPage } from './page.ts';
import { customerNamed } from './resolve.ts';
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
  with me as materialized (${customerNamed('$1::text')}),
  ids as materialized (select same.id from me cross join lateral servicing.same_customers(me.id) as same (id)),
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
  select me.id as "customerId", p.event_id as "eventId", p.type, p.aggregate, p.version, ${instant('p.occurred_at')} as at,
    p.facts -> 'payload' as facts, c.author, c.content
  from me left join page p on true
  left join lateral (
    select author, content from servicing.conversation_entries
    where p.aggregate like 'conversation:%' and conversation_id = substr(p.aggregate collate "default", 14) and event_id = p.event_id
    limit 1
  ) c on true
  order by p.version desc`;

interface Found {
  customerId: string;
  eventId: string;
  type: string;
  aggregate: string;
  version: string;
  at: string | null;
  facts: Facts | null;
  author: string | null;
  content: string | null;
}

type Nothing = { customerId: string; eventId: null };

/** What the statement is asked with; `version` is where an earlier page ended. */
export const timelineQuery = (
  name: string,
  version: string | undefined,
  limit: number,
): [text: string, params: unknown[]] => [
  statement,
  [name, timelineTypes, timelinePatterns, version ?? null, limit + 1],
];

export interface Timeline extends TextPage<TimelineEntry> {
  /** Of the survivor. */
  customerId: string;
}

const keys = pageKeys('timeline', 'text', 'text');

/** By any name of theirs or of what is theirs; undefined where nobody has told of such a customer. */
export async function readTimeline(
  db: Database,
  name: string,
  { after, limit, place }: { after?: string | undefined; limit: number; place: Place },
): Promise<Result<Timeline | undefined, ListRefusal>> {
  const [customer, version] = (after === undefined ? undefined : keys.decode(after)) ?? [];
  if (after !== undefined && customer === undefined) return refused('foreign_key');
  // Somebody of whom nothing is told is one row without an event.
  const found = await db.query<Found | Nothing>(...timelineQuery(name, version, limit));
  const [first] = found;
  if (!first) return ok(undefined);
  const { customerId } = first;
  // Who has been merged into somebody else since has another timeline.
  if (customer !== undefined && customer !== customerId) return refused('foreign_key');
  const events = found.filter((row): row is Found => row.eventId !== null);
  const last = events.length > limit ? events[limit - 1] : undefined;
  return ok({
    customerId,
    rows: events.slice(0, limit).map((row) => entry(row, place)),
    next: last && keys.encode([customerId, last.version]),
  });
}

function entry({ eventId, type, aggregate, at, facts, author, content }: Found, place: Place): TimelineEntry {
  const colon = aggregate.indexOf(':');
  const about = { kind: aggregate.slice(0, colon), id: aggregate.slice(colon + 1) };
  return { eventId, type, ...tell(type, facts ?? {}, place), at, about, author, words: content };
}
