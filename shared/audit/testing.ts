// For tests only: the trail as its owner sees it.

import type { Database } from '../database.ts';

export interface SeenEntry {
  id: string;
  actor: string;
  action: string;
  subject_kind: string | null;
  subject_id: string | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  details: Record<string, unknown> | null;
  address: string | null;
  request_id: string | null;
  session_id: string | null;
}

/** The newest so many of an action that begins so, oldest first. */
export async function entriesOf(db: Database, actionPrefix: string, most = 100): Promise<SeenEntry[]> {
  const rows = await db.query<SeenEntry>(
    `select id, actor, action, subject_kind, subject_id, before, after, details, address, request_id, session_id
     from audit.entries where starts_with(action, $1) order by id desc limit $2`,
    [actionPrefix, most],
  );
  return rows.reverse();
}
