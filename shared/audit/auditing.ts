// A read and its entry in the audit trail are one statement: neither is there without the other, and it takes no second
// round trip. Where the statement faults, nothing was read and nothing is written.

import type { Database } from '../database.ts';
import type { Asker } from './asker.ts';
import type { NewEntry } from './entry.ts';

/** Of a list: whom its first rows are about, each once, is kept in the details as `ids`. */
export interface Shown {
  /** SQL: the id that a row has, or a set of them. */
  id: string;
  /** So many rows. */
  atMost: number;
}

/**
 * For one read: each statement it is given writes the entry once more. A statement begins with `select` or `with`, and
 * runs with the rights to add to audit.entries.
 */
export function auditing(db: Database, asker: Asker, entry: NewEntry, shown?: Shown): Database {
  const audited = (text: string, params: readonly unknown[] = []): [text: string, params: unknown[]] =>
    shown ? listed(text, params, asker, entry, shown) : inFront(text, params, asker, entry);
  return {
    query: (text, params) => db.query(...audited(text, params)),
    arrays: (text, params) => db.arrays(...audited(text, params)),
  };
}

const beginning = /^\s*(?:(with)\s+(recursive\s+)?|select\b)/i;

/** How the statement begins; anything but a read is refused. */
function read(text: string): RegExpExecArray {
  const begun = beginning.exec(text);
  if (!begun) throw new Error('only a statement that begins with select or with can be audited');
  return begun;
}

type Audited = [text: string, params: unknown[]];

function inFront(text: string, params: readonly unknown[], asker: Asker, entry: NewEntry): Audited {
  const [begin, hasWith, recursive] = read(text);
  const written = insertion(params.length, asker, entry);
  const rest = hasWith ? `, ${text.slice(begin.length)}` : ` ${text}`;
  const all = [...params, ...written.params];
  return [`with ${recursive ?? ''}audit_entry as (${written.text})${rest}`, all];
}

function listed(
  text: string,
  params: readonly unknown[],
  asker: Asker,
  entry: NewEntry,
  { id, atMost }: Shown,
): Audited {
  read(text);
  const ids = `(select coalesce(jsonb_agg(id order by place), '[]') from (
    select id, min(place) as place from (
      select ${id} as id, place from (select *, row_number() over () as place from audited_list) l where place <= ${Math.trunc(atMost)}
    ) shown where id is not null group by id) once)`;
  const written = insertion(params.length, asker, entry, ids);
  return [
    `with audited_list as materialized (${text}), audit_entry as (${written.text}) select * from audited_list`,
    [...params, ...written.params],
  ];
}

/** The statement that adds the entry; its parameters follow so many others. */
function insertion(after: number, asker: Asker, { action, subject, details }: NewEntry, ids?: string) {
  const params: unknown[] = [];
  const param = (value: unknown, type: string) => `$${after + params.push(value ?? null)}::${type}`;
  const id = subject?.id ?? null;
  const subjectId =
    typeof id === 'object' && id !== null ? `(${id.sql(param(id.by, 'text'))})` : param(id, 'text');
  const told = param(details && JSON.stringify(details), 'jsonb');
  const values = [
    param(asker.actor, 'text'),
    param(action, 'text'),
    param(subject?.kind, 'text'),
    subjectId,
    ids === undefined ? told : `coalesce(${told}, '{}') || jsonb_build_object('ids', ${ids})`,
    param(asker.address, 'text'),
    param(asker.requestId, 'text'),
    param(asker.sessionId, 'uuid'),
  ];
  const text = `insert into audit.entries (actor, action, subject_kind, subject_id, details, address, request_id, session_id)
    select ${values.join(', ')}`;
  return { text, params };
}
