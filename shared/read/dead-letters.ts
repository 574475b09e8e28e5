// Dead letters as screens show them. A list says what is wrong with which events; only a single letter has the event
// itself, which may be about people.

import { and, desc, eq, sql } from 'drizzle-orm';
import { deadLetters } from '../../drizzle/schema/dead-letters.ts';
import { type Database, tables } from '../database.ts';
import type { DeadLetterStatus } from '../dead-letters/dead-letter.ts';
import { olderThan, type PageKey, toPage, utc } from './page.ts';

interface Filter {
  status: DeadLetterStatus;
  type?: string | undefined;
  source?: string | undefined;
}

const shown = {
  id: deadLetters.id,
  status: deadLetters.status,
  source: deadLetters.source,
  entryId: deadLetters.entryId,
  eventId: deadLetters.eventId,
  type: deadLetters.type,
  reason: deadLetters.reason,
  buriedAt: utc(deadLetters.buriedAt, 'MS'),
  decidedBy: deadLetters.decidedBy,
  decidedReason: deadLetters.decidedReason,
  decidedAt: sql<string | null>`${utc(deadLetters.decidedAt, 'MS')}`,
};

/** Newest first by when they were buried. */
export async function readDeadLetters(
  db: Database,
  { status, type, source }: Filter,
  after: PageKey | undefined,
  limit: number,
) {
  const rows = await tables(db)
    .select({ ...shown, sortedAt: utc(deadLetters.buriedAt, 'US') })
    .from(deadLetters)
    .where(
      and(
        eq(deadLetters.status, status),
        type === undefined ? undefined : eq(deadLetters.type, type),
        source === undefined ? undefined : eq(deadLetters.source, source),
        olderThan(deadLetters.buriedAt, deadLetters.id, after),
      ),
    )
    .orderBy(desc(deadLetters.buriedAt), desc(deadLetters.id))
    .limit(limit + 1);
  return toPage(rows, limit);
}

/** Whole. */
export async function readDeadLetter(db: Database, id: string) {
  const rows = await tables(db)
    .select({ ...shown, fields: deadLetters.fields, stack: deadLetters.stack })
    .from(deadLetters)
    .where(eq(deadLetters.id, id));
  return rows[0];
}
