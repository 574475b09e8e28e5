// Conversations as screens show them: everybody's or a customer's, the one that was active last first; and one with its
// lines in the order in which they were said. What has been erased of a line is null; that there was one stays.

import { and, asc, eq, gt } from 'drizzle-orm';
import { conversations, conversationEntries as entries } from '../../drizzle/schema/servicing.ts';
import { type Database, tables } from '../database.ts';
import { ok, type Result, refused } from '../result.ts';
import { instant } from './as-text.ts';
import { type Conditions, condition, type ListRefusal, list } from './list.ts';
import { pageKeys, type TextPage, utc } from './page.ts';

const columns = {
  conversationId: conversations.conversationId,
  customerId: conversations.customerId,
  applicationNumber: conversations.applicationNumber,
  accountId: conversations.accountId,
  status: conversations.status,
  channel: conversations.channel,
  startedAt: utc(conversations.startedAt, 'MS'),
  lastMessageAt: utc(conversations.lastMessageAt, 'MS'),
  summary: conversations.summary,
  decision: conversations.decision,
  decidedAt: utc(conversations.decidedAt, 'MS'),
};

export type Conversation = {
  [Key in Exclude<keyof typeof columns, 'conversationId'>]: string | null;
} & { conversationId: string };

export interface ConversationRow extends Conversation {
  /** Of whom it is with, after all merges. */
  fullName: string | null;
}

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

/** `customerId` is any id of theirs: those of all who are the same are told. */
export function readConversations(
  db: Database,
  {
    filter,
    after,
    limit,
  }: {
    filter: { customerId?: string | undefined; status?: string | undefined; channel?: string | undefined };
    after?: string | undefined;
    limit: number;
  },
): Promise<Result<TextPage<ConversationRow>, ListRefusal>> {
  const conditions: Conditions = { where: [], params: [] };
  condition(
    conditions,
    filter.customerId,
    (value) => `customer_id = any (array(select servicing.same_customers(${value})))`,
  );
  condition(conditions, filter.status, (value) => `status = ${value}`);
  condition(conditions, filter.channel, (value) => `channel = ${value}`);
  return newest<ConversationRow>(db, {
    sort: 'newest',
    after,
    limit,
    conditions,
    select: `shown.conversation_id as "conversationId", shown.customer_id as "customerId",
      shown.application_number as "applicationNumber", shown.account_id as "accountId", shown.status, shown.channel,
      ${instant('shown.started_at')} as "startedAt", ${instant('shown.last_message_at')} as "lastMessageAt", shown.summary, shown.decision,
      ${instant('shown.decided_at')} as "decidedAt", c.full_name as "fullName"`,
    joins: `left join lateral (
        select merged_into from servicing.customers n where n.customer_id = shown.customer_id limit 1) n on true
      left join lateral (
        select full_name from servicing.customers c
        where c.customer_id = case when n.merged_into is null then shown.customer_id
          else servicing.surviving_customer(shown.customer_id) end limit 1) c on true`,
  });
}

export async function readConversation(
  db: Database,
  conversationId: string,
): Promise<Conversation | undefined> {
  const [row] = await tables(db)
    .select(columns)
    .from(conversations)
    .where(eq(conversations.conversationId, conversationId));
  return row;
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

/** In the order in which senders say they were said. */
export async function readConversationEntries(
  db: Database,
  conversationId: string,
  { after, limit }: { after?: string | undefined; limit: number },
): Promise<Result<TextPage<ConversationLine>, ListRefusal>> {
  const [conversation, version] = (after === undefined ? undefined : entryKeys.decode(after)) ?? [];
  if (after !== undefined && conversation !== conversationId) return refused('foreign_key');
  const rows = await tables(db)
    .select({
      eventId: entries.eventId,
      kind: entries.kind,
      saidAt: utc(entries.saidAt, 'MS'),
      author: entries.author,
      content: entries.content,
      detail: entries.detail,
      version: entries.version,
    })
    .from(entries)
    .where(
      and(
        eq(entries.conversationId, conversationId),
        version === undefined ? undefined : gt(entries.version, version),
      ),
    )
    .orderBy(asc(entries.version))
    .limit(limit + 1);
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return ok({
    rows: rows.slice(0, limit).map(({ version: _, ...row }) => row),
    next: last && entryKeys.encode([conversationId, last.version]),
  });
}
