// Conversations as screens show them: a customer's, the one that was active last first; and one with its lines in the
// order in which they were said. What has been erased of a line is null; that there was one stays.

import { and, asc, eq, gt, sql } from 'drizzle-orm';
import { conversations, conversationEntries as entries } from '../../drizzle/schema/servicing.ts';
import { type Database, tables } from '../database.ts';
import { utc } from './page.ts';

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

const lastActive = sql`coalesce(${conversations.lastMessageAt}, ${conversations.startedAt}, '-infinity')`;

/** Of the customer with this id and of all who are the same. `after` is the `next` of an earlier page. */
export async function readConversationsOf(
  db: Database,
  customerId: string,
  after: { at: string; id: string } | undefined,
  limit: number,
) {
  const rows = await tables(db)
    .select({ ...columns, sortedAt: sql<string>`(${lastActive})::text` })
    .from(conversations)
    .where(
      and(
        sql`${conversations.customerId} = any (array(select servicing.same_customers(${customerId})))`,
        after &&
          sql`(${lastActive}, ${conversations.conversationId}) < (${after.at}::timestamptz, ${after.id})`,
      ),
    )
    .orderBy(sql`${lastActive} desc, ${conversations.conversationId} desc`)
    .limit(limit + 1);
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    rows: rows.slice(0, limit).map(({ sortedAt: _, ...row }) => row),
    next: last && { at: last.sortedAt, id: last.conversationId },
  };
}

export async function readConversation(db: Database, conversationId: string) {
  const [row] = await tables(db)
    .select(columns)
    .from(conversations)
    .where(eq(conversations.conversationId, conversationId));
  return row;
}

/** In the order in which senders say they were said; `after` and `next` are versions of lines. */
export async function readConversationEntries(
  db: Database,
  conversationId: string,
  after: string | undefined,
  limit: number,
) {
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
        after === undefined ? undefined : gt(entries.version, after),
      ),
    )
    .orderBy(asc(entries.version))
    .limit(limit + 1);
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return { rows: rows.slice(0, limit).map(({ version: _, ...row }) => row), next: last?.version };
}
