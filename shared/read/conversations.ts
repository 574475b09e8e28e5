// Conversations as screens show them: everybody's or a customer's, the one that was active last first; and one with its
// lines in the order in which they were said. What has been erased of a line is null; that there was one stays.

import type { Database } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import { instant } from './as-text.ts';
import { type Conditions, condition, type ListRefusal, list } from './list.ts';
import { pageKeys, type TextPage } from './page.ts';
import { sameAsNamed } from './resolve.ts';

export interface ConversationRow {
  conversationId: string;
  /** As the conversation names them. */
  customerId: string | null;
  /** Who that is after all merges. */
  survivingCustomerId: string | null;
  fullName: string | null;
  applicationNumber: string | null;
  accountId: string | null;
  status: string | null;
  channel: string | null;
  startedAt: string | null;
  lastMessageAt: string | null;
  summary: string | null;
  decision: string | null;
  decidedAt: string | null;
}

const columns = `shown.conversation_id as "conversationId", shown.customer_id as "customerId",
  survivor.id as "survivingCustomerId", c.full_name as "fullName",
  shown.application_number as "applicationNumber", shown.account_id as "accountId", shown.status, shown.channel,
  ${instant('shown.started_at')} as "startedAt", ${instant('shown.last_message_at')} as "lastMessageAt", shown.summary,
  shown.decision, ${instant('shown.decided_at')} as "decidedAt"`;

const whose = `
  left join lateral (
    select merged_into from servicing.customers n where n.customer_id = shown.customer_id limit 1) n on true
  cross join lateral (
    select case when n.merged_into is null then shown.customer_id
      else servicing.surviving_customer(shown.customer_id) end as id offset 0) survivor
  left join lateral (
    select full_name from servicing.customers c where c.customer_id = survivor.id limit 1) c on true`;

const newest = list<'newest'>('conversations', {
  from: 'servicing.conversations',
  id: 'conversation_id',
  orders: {
    newest: {
      key: `coalesce(last_message_at, started_at, '-infinity')`,
      type: 'instant',
      direction: 'desc',
    },
  },
});

export const conversationStatuses = ['open', 'decided'] as const;

/** `customer` is any name of theirs: the conversations of all who are the same are told. */
export function readConversations(
  db: Database,
  {
    filter,
    after,
    limit,
  }: {
    filter: {
      customer?: string | undefined;
      status?: (typeof conversationStatuses)[number] | undefined;
      channel?: string | undefined;
    };
    after?: string | undefined;
    limit: number;
  },
): Promise<Result<TextPage<ConversationRow>, ListRefusal>> {
  const conditions: Conditions = { where: [], params: [] };
  condition(
    conditions,
    filter.customer,
    (value) => `customer_id = any (array(${sameAsNamed(`${value}::text`)}))`,
  );
  condition(conditions, filter.status, (value) => `status = ${value}`);
  condition(conditions, filter.channel, (value) => `channel = ${value}`);
  return newest<ConversationRow>(db, {
    sort: 'newest',
    after,
    limit,
    conditions,
    select: columns,
    joins: whose,
  });
}

const entryKeys = pageKeys('lines of a conversation', 'text', 'text');

export interface ConversationLine {
  eventId: string;
  kind: string;
  saidAt: string | null;
  author: string | null;
  content: string | null;
  detail: unknown;
}

export interface Conversation extends ConversationRow {
  /** In the order in which senders say they were said. */
  lines: ConversationLine[];
  /** To be given as `after` for the lines that follow. */
  next: string | null;
}

/** SQL: whose the conversation with this id is, after all merges. */
export const customerOfConversation = (id: string) =>
  `select servicing.surviving_customer(customer_id) from servicing.conversations where conversation_id = ${id}`;

const statement = `
  with shown as materialized (select * from servicing.conversations where conversation_id = $1::text),
  line as materialized (
    select e.*, row_number() over (order by e.version) as place from servicing.conversation_entries e
    where e.conversation_id = $1::text and ($2::text is null or e.version > $2::text collate "C")
    order by e.version limit $3::int + 1
  )
  select ${columns},
    (select coalesce(json_agg(json_build_object('eventId', l.event_id, 'kind', l.kind, 'saidAt', ${instant('l.said_at')},
        'author', l.author, 'content', l.content, 'detail', l.detail) order by l.place), '[]')
     from line l where l.place <= $3::int) as lines,
    (select l.version from line l where l.place = $3::int and exists (select from line where place > $3::int)) as last
  from shown ${whose}`;

/** With a page of its lines; undefined where nobody has told of it. */
export async function readConversation(
  db: Database,
  conversationId: string,
  { after, limit }: { after?: string | undefined; limit: number },
): Promise<Result<Conversation | undefined, ListRefusal>> {
  const [conversation, version] = (after === undefined ? undefined : entryKeys.decode(after)) ?? [];
  if (after !== undefined && conversation !== conversationId) return refused('foreign_key');
  const [row] = await db.query<Omit<Conversation, 'next'> & { last: string | null }>(statement, [
    conversationId,
    version ?? null,
    limit,
  ]);
  if (!row) return ok(undefined);
  const { last, ...shown } = row;
  return ok({ ...shown, next: last === null ? null : entryKeys.encode([conversationId, last]) });
}
