// Keyset pages: a page is read from where the last one ended, so that rows added in front never shift it. Where that is
// goes to the reader as one opaque text, which names its list and its order: one of another list, or one that was
// altered, is refused, so that nothing but values of the right types ever reaches a statement.

import { type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { parseInstant } from '../calendar-date.ts';
import { isUuid } from '../id.ts';

/** Where a page ended: the last row's sort keys, the instant with microseconds. */
export interface PageKey {
  at: string;
  id: string;
}
export interface Page<Row> {
  rows: Row[];
  next: PageKey | undefined;
}

/** Of pages whose way on is told as a text. */
export interface TextPage<Row> {
  rows: Row[];
  /** To be given as `after` for the next page; undefined on the last. */
  next: string | undefined;
}

const isPart = {
  /** ISO 8601 with microseconds, in UTC; `-infinity` where nobody knows. */
  instant: (text) =>
    text === '-infinity' || (/\.\d{6}Z$/.test(text) && parseInstant(text, 'UTC') !== undefined),
  uuid: isUuid,
  integer: (text) => /^-?\d{1,9}$/.test(text),
  /** `-Infinity` where nobody knows. */
  decimal: (text) => text === '-Infinity' || /^-?\d{1,15}(\.\d{1,4})?$/.test(text),
  /** Postgres keeps no zero character. */
  text: (text) => text.length <= 1_000 && !text.includes('\0') && text.isWellFormed(),
} satisfies Record<string, (text: string) => boolean>;

/** What the keys of a list are made of, in the list's order. */
type KeyPart = keyof typeof isPart;

export interface PageKeys {
  encode(parts: readonly string[]): string;
  /** Undefined for anything that `encode` of the same list has not made. */
  decode(text: string): string[] | undefined;
}

/** Not a secret: it finds what was cut off or edited. What somebody makes up is a place in the list at most. */
function checksum(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(36);
}

/** `list` says which list in which order; no two may share it. */
export function pageKeys(list: string, ...parts: readonly KeyPart[]): PageKeys {
  return {
    encode(values) {
      const text = JSON.stringify(values);
      return toBase64Url(JSON.stringify([list, checksum(list + text), ...values]));
    },
    decode(text) {
      const [itsList, sum, ...values] = readTexts(text);
      const isWhole =
        itsList === list &&
        values.length === parts.length &&
        sum === checksum(list + JSON.stringify(values)) &&
        parts.every((part, n) => isPart[part](values[n] ?? ''));
      return isWhole ? values : undefined;
    },
  };
}

function readTexts(text: string): string[] {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) =>
      c.charCodeAt(0),
    );
    const read: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return Array.isArray(read) && read.every((one) => typeof one === 'string') ? read : [];
  } catch {
    return [];
  }
}

const toBase64Url = (text: string): string =>
  btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');

const byInstant = pageKeys('newest', 'instant', 'uuid');

/** Of the lists that have the newest first by an instant and a uuid. */
export const encodeKey = ({ at, id }: PageKey): string => byInstant.encode([at, id]);
export function decodeKey(text: string): PageKey | undefined {
  const [at, id] = byInstant.decode(text) ?? [];
  return at !== undefined && id !== undefined && at !== '-infinity' ? { at, id } : undefined;
}

export const olderThan = (at: PgColumn, id: PgColumn, key: PageKey | undefined) =>
  key && sql`(${at}, ${id}) < (${key.at}::timestamptz, ${key.id}::uuid)`;

/** One row more than a page is read to know whether there is a next one. */
export function toPage<Row extends { id: string; sortedAt: string }>(
  rows: Row[],
  limit: number,
): Page<Omit<Row, 'sortedAt'>> {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    rows: rows.slice(0, limit).map(({ sortedAt: _, ...row }) => row),
    next: last && { at: last.sortedAt, id: last.id },
  };
}

/** An instant as ISO 8601 in UTC, with milli- or microseconds. */
export const utc = (column: PgColumn | SQL, digits: 'MS' | 'US') =>
  sql<string>`to_char(${column} at time zone 'UTC', ${sql.raw(`'YYYY-MM-DD"T"HH24:MI:SS.${digits}"Z"'`)})`;
