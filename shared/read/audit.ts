// The audit trail as auditors read it: newest first, by who, what, on whom, when and from where, or by any word in it.

import type { Database } from '../database.ts';

export interface AuditEntry {
  id: string;
  at: string;
  actor: string;
  action: string;
  subjectKind: string | null;
  subjectId: string | null;
  before: unknown;
  after: unknown;
  details: unknown;
  address: string | null;
  requestId: string | null;
  sessionId: string | null;
  /** Where it stands in the chain; null until it is sealed. */
  seal: string | null;
}

export interface AuditFilter {
  actor?: string | undefined;
  /** What the action begins with: `sign_in.` */
  action?: string | undefined;
  subjectKind?: string | undefined;
  subjectId?: string | undefined;
  requestId?: string | undefined;
  address?: string | undefined;
  /** From this instant. */
  from?: Date | undefined;
  /** Before this one. */
  until?: Date | undefined;
  /** Words that all begin some word of the entry. */
  q?: string | undefined;
}

/** Where a page ended: the instant with microseconds, and the id. */
export interface AuditPlace {
  at: string;
  id: string;
}

export const microseconds = (column: string) =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
export const milliseconds = (column: string) =>
  `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** Conditions that are asked for, and their values. */
export function conditions(first: readonly unknown[] = []) {
  const params: unknown[] = [...first];
  const all: string[] = [];
  return {
    params,
    /** `condition` is given the placeholder. */
    add(value: unknown, condition: (placeholder: string) => string) {
      if (value !== undefined) all.push(condition(`$${params.push(value)}`));
    },
    after(place: AuditPlace | undefined, idType: 'bigint' | 'uuid', at = 'e.at') {
      if (!place) return;
      all.push(
        `(${at}, e.id) < ($${params.push(place.at)}::timestamptz, $${params.push(place.id)}::${idType})`,
      );
    },
    where: () => (all.length > 0 ? `where ${all.join(' and ')}` : ''),
  };
}

const words =
  'audit.words(e.actor, e.action, e.subject_kind, e.subject_id, e.address, e.request_id, e.before, e.after, e.details)';
/** Taken apart as the entries' own words are. */
const asked = (text: string) => `to_tsquery('simple', (
  select string_agg(word || ':*', ' & ') from regexp_split_to_table(regexp_replace(${text}::text, '[^[:alnum:]]+', ' ', 'g'), ' ') word
  where word <> ''))`;

export async function readAuditEntries(
  db: Database,
  filter: AuditFilter,
  after: AuditPlace | undefined,
  limit: number,
): Promise<{ rows: AuditEntry[]; next: AuditPlace | undefined }> {
  const { params, add, after: goOn, where } = conditions();
  add(filter.actor, (value) => `e.actor = ${value}`);
  add(filter.action, (value) => `starts_with(e.action, ${value})`);
  add(filter.subjectKind, (value) => `e.subject_kind = ${value}`);
  add(filter.subjectId, (value) => `e.subject_id = ${value}`);
  add(filter.requestId, (value) => `e.request_id = ${value}`);
  add(filter.address, (value) => `e.address = ${value}`);
  add(filter.from?.toISOString(), (value) => `e.at >= ${value}::timestamptz`);
  add(filter.until?.toISOString(), (value) => `e.at < ${value}::timestamptz`);
  add(filter.q, (value) => `${words} @@ ${asked(value)}`);
  goOn(after, 'bigint');
  const rows = await db.query<AuditEntry & { place: string }>(
    `select e.id::text, ${milliseconds('e.at')} as at, e.actor, e.action, e.subject_kind as "subjectKind",
       e.subject_id as "subjectId", e.before, e.after, e.details, e.address, e.request_id as "requestId",
       e.session_id as "sessionId", (select s.position::text from audit.seals s where s.entry_id = e.id) as seal,
       ${microseconds('e.at')} as place
     from audit.entries e ${where()} order by e.at desc, e.id desc limit ${limit + 1}`,
    params,
  );
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    rows: rows.slice(0, limit).map(({ place: _, ...row }) => row),
    next: last && { at: last.place, id: last.id },
  };
}
