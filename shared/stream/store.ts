// The stream slice's only SQL.

import type { Database } from '../database.ts';
import type { KeptEvent, NewEvent } from './new-event.ts';

export async function saveEvents(
  db: Database,
  batch: readonly NewEvent[],
  source: string,
): Promise<KeptEvent[]> {
  const rows = await db.query<{ outcome: KeptEvent }>(
    'select * from servicing.keep_events($1::text[], $2::uuid[], $3::text[], $4)',
    [
      batch.map(({ id }) => id),
      batch.map(({ payloadHash }) => payloadHash),
      batch.map(({ fields }) => JSON.stringify(fields)),
      source,
    ],
  );
  if (rows.length !== batch.length) throw new Error(`kept ${rows.length} of ${batch.length} events`);
  return rows.map(({ outcome }) => outcome);
}
