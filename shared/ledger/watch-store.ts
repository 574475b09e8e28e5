// What those who watch loans ask of the database.

import type { Database } from '../database.ts';

export async function versions(db: Database, loanIds: readonly string[]): Promise<[string, number][]> {
  const rows = await db.query<{ loan_id: string; version: string }>(
    'select loan_id, version from ledger.positions where loan_id = any($1)',
    [loanIds],
  );
  return rows.map(({ loan_id, version }) => [loan_id, Number(version)]);
}
