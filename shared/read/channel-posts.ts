// What channels brought beside payments, as screens show it: notices, and bodies that could not be read.

import { and, desc, eq, sql } from 'drizzle-orm';
import { paymentNotices, rejectedBodies } from '../../drizzle/schema/payments.ts';
import { type Database, tables } from '../database.ts';
import type { NoticeStatus } from '../payments/notice.ts';
import type { RejectedBodyStatus } from '../payments/rejected-body.ts';
import { olderThan, type PageKey, toPage, utc } from './page.ts';

interface Filter<Status> {
  id?: string | undefined;
  channel?: string | undefined;
  status?: Status | undefined;
}

/** An instant that may not have come yet. */
const orNull = (column: Parameters<typeof utc>[0]) => sql<string | null>`${utc(column, 'MS')}`;

/** Newest first. */
export async function readNotices(
  db: Database,
  filter: Filter<NoticeStatus>,
  after: PageKey | undefined,
  limit: number,
) {
  const rows = await tables(db)
    .select({
      id: paymentNotices.id,
      channel: paymentNotices.channel,
      noticeReference: paymentNotices.noticeReference,
      subject: paymentNotices.subject,
      /** JSON text. */
      payload: paymentNotices.payload,
      standing: paymentNotices.standing,
      status: paymentNotices.status,
      attempts: paymentNotices.attempts,
      nextTryAt: utc(paymentNotices.nextTryAt, 'MS'),
      lastError: paymentNotices.lastError,
      timesSeen: paymentNotices.timesSeen,
      retriedBy: paymentNotices.retriedBy,
      retriedAt: orNull(paymentNotices.retriedAt),
      settledAt: orNull(paymentNotices.settledAt),
      createdAt: utc(paymentNotices.createdAt, 'MS'),
      sortedAt: utc(paymentNotices.createdAt, 'US'),
    })
    .from(paymentNotices)
    .where(
      and(
        filter.id === undefined ? undefined : eq(paymentNotices.id, filter.id),
        filter.channel === undefined ? undefined : eq(paymentNotices.channel, filter.channel),
        filter.status && eq(paymentNotices.status, filter.status),
        olderThan(paymentNotices.createdAt, paymentNotices.id, after),
      ),
    )
    .orderBy(desc(paymentNotices.createdAt), desc(paymentNotices.id))
    .limit(limit + 1);
  return toPage(rows, limit);
}

/** Newest first by when they were first seen. */
export async function readRejectedBodies(
  db: Database,
  filter: Filter<RejectedBodyStatus>,
  after: PageKey | undefined,
  limit: number,
) {
  const rows = await tables(db)
    .select({
      id: rejectedBodies.id,
      channel: rejectedBodies.channel,
      status: rejectedBodies.status,
      body: rejectedBodies.body,
      masked: rejectedBodies.masked,
      altered: rejectedBodies.altered,
      /** JSON text. */
      refusal: sql<string>`${rejectedBodies.refusal}::text`,
      requestId: rejectedBodies.requestId,
      timesSeen: rejectedBodies.timesSeen,
      firstSeenAt: utc(rejectedBodies.firstSeenAt, 'MS'),
      lastSeenAt: utc(rejectedBodies.lastSeenAt, 'MS'),
      decidedBy: rejectedBodies.decidedBy,
      decidedAt: orNull(rejectedBodies.decidedAt),
      reason: rejectedBodies.reason,
      resentBody: rejectedBodies.resentBody,
      sortedAt: utc(rejectedBodies.firstSeenAt, 'US'),
    })
    .from(rejectedBodies)
    .where(
      and(
        filter.id === undefined ? undefined : eq(rejectedBodies.id, filter.id),
        filter.channel === undefined ? undefined : eq(rejectedBodies.channel, filter.channel),
        filter.status && eq(rejectedBodies.status, filter.status),
        olderThan(rejectedBodies.firstSeenAt, rejectedBodies.id, after),
      ),
    )
    .orderBy(desc(rejectedBodies.firstSeenAt), desc(rejectedBodies.id))
    .limit(limit + 1);
  return toPage(rows, limit);
}
