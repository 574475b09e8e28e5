// Reads a CSV file of payments of any size in constant memory and stages its rows; a line that cannot become a payment
// is told with its number and its reason, and the rest goes on. Staged twice, a file's rows end as duplicates.

import type { Readable } from 'node:stream';
import { parse } from 'csv-parse';
import { localTime } from '../shared/calendar-date.ts';
import type { Database } from '../shared/database.ts';
import { parseExactJson } from '../shared/exact-json.ts';
import type { Business } from '../shared/payments/payment-fields.ts';
import { createStagedRowReader, type StagedRow } from '../shared/staging/staged-row.ts';

const required = ['reference_number', 'loan_account_number', 'cif', 'amount', 'payment_date'] as const;
const optional = ['payment_channel', 'metadata', 'currency'] as const;
const columns = [...required, ...optional];
type Column = (typeof columns)[number];

/** Rows of one INSERT. */
const chunkRows = 2_000;
/** Bytes of one record; a quote that is never closed would swallow the rest of the file. */
const recordLimit = 1024 * 1024;

export interface LoadOptions {
  input: Readable;
  delimiter: string;
  business: Business;
  /** Undefined: nothing is staged. */
  db: Database | undefined;
  /** Called for each bad line; one that cannot be read as CSV may be told before the lines in front of it. */
  bad: (line: number, reason: string) => void;
  /** Called after each INSERT. */
  progress: (loaded: Loaded) => void;
}

export interface Loaded {
  /** Rows that are staged, or would be. */
  staged: number;
  bad: number;
  /** Columns of the header that mean nothing here. */
  ignored: string[];
}

/** The file as a whole cannot be read: no header, a column missing or named twice. */
export class FileFault extends Error {
  override readonly name = 'FileFault';
}

interface ParsedRecord {
  record: string[];
  info: { lines: number };
  /** As it stands in the file, its line end included. */
  raw: string;
}

/** Throws FileFault, DatabaseFault, and what the input throws; what was staged until then stays. */
export async function loadFile(options: LoadOptions): Promise<Loaded> {
  const loaded: Loaded = { staged: 0, bad: 0, ignored: [] };
  const bad = (line: number, reason: string) => {
    loaded.bad += 1;
    options.bad(line, reason);
  };
  const parser = parse({
    bom: true,
    delimiter: options.delimiter,
    info: true,
    max_record_size: recordLimit,
    raw: true,
    relax_column_count: true,
    // Refused below instead: the parser would lose the lines that follow.
    relax_quotes: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    on_skip: (error) => {
      if (error) bad(Number(error.lines ?? 0), parserReasons[error.code] ?? 'cannot be read as CSV');
      return undefined;
    },
  });
  options.input.once('error', (error) => parser.destroy(error));
  options.input.pipe(parser);

  const isWellQuoted = quotingOf(options.delimiter);
  const readRow = rowReader(options.business);
  let positions: Map<Column, number> | undefined;
  let width = 0;
  let chunk: StagedRow[] = [];
  const flush = async () => {
    if (chunk.length > 0 && options.db) await stage(options.db, chunk);
    loaded.staged += chunk.length;
    chunk = [];
    options.progress(loaded);
  };

  try {
    for await (const { record, info, raw } of parser as AsyncIterable<ParsedRecord>) {
      if (!positions) {
        positions = readHeader(record, loaded.ignored);
        width = record.length;
        continue;
      }
      if (record.length !== width) {
        bad(info.lines, `has ${record.length} fields where the header has ${width}`);
        continue;
      }
      if (raw.includes('"') && !isWellQuoted(raw)) {
        bad(info.lines, 'has a quote that neither encloses its field nor is doubled within one');
        continue;
      }
      const of = (column: Column) => record[positions?.get(column) ?? -1] ?? '';
      const row = readRow(of);
      if (typeof row === 'string') bad(info.lines, row);
      else if (chunk.push(row) === chunkRows) await flush();
    }
  } finally {
    options.input.destroy();
  }
  if (!positions)
    throw new FileFault(`the file is empty; its first line must name the columns: ${columns.join(', ')}`);
  await flush();
  return loaded;
}

/** RFC 4180: a field with quotes is enclosed in them, and has them doubled inside. */
function quotingOf(delimiter: string): (raw: string) => boolean {
  const escaped = `\\u{${delimiter.codePointAt(0)?.toString(16)}}`;
  const field = `(?:"(?:[^"]|"")*"|[^"${escaped}]*)`;
  const pattern = new RegExp(`^\\ufeff?${field}(?:${escaped}${field})*[\\r\\n]*$`, 'u');
  return (raw) => pattern.test(raw);
}

const parserReasons: Record<string, string> = {
  CSV_MAX_RECORD_SIZE: `is longer than ${recordLimit} bytes, which usually means a quote that is never closed`,
  CSV_QUOTE_NOT_CLOSED: 'has a quote that is never closed',
};

function readHeader(record: readonly string[], ignored: string[]): Map<Column, number> {
  const positions = new Map<Column, number>();
  for (const [position, name] of record.entries()) {
    const column = columns.find((known) => known === name.trim().toLowerCase());
    if (column === undefined) ignored.push(name);
    else if (positions.has(column)) throw new FileFault(`the header names ${column} twice`);
    else positions.set(column, position);
  }
  const missing = required.filter((column) => !positions.has(column));
  if (missing.length > 0) {
    throw new FileFault(`the first line must name the columns; missing: ${missing.join(', ')}`);
  }
  return positions;
}

/** Reads one record: the row to be staged, or why it cannot become a payment, every fault in one sentence. */
function rowReader(business: Business): (of: (column: Column) => string) => StagedRow | string {
  const readStaged = createStagedRowReader(business);
  return (of) => {
    const given = Object.fromEntries(columns.map((column) => [column, of(column)])) as Record<Column, string>;
    // The decoder has put this in place of bytes that are no UTF-8: Latin-1, for example.
    if (Object.values(given).some((text) => text.includes('\ufffd'))) return 'is not UTF-8';
    const optionalText = (column: (typeof optional)[number]) => (given[column] === '' ? null : given[column]);
    const row: StagedRow = { ...given, payment_channel: null, metadata: null, currency: null };
    for (const column of optional) row[column] = optionalText(column);
    if (row.metadata !== null) {
      try {
        row.metadata = JSON.stringify(parseExactJson(row.metadata));
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        return 'metadata: expected a JSON object that can be kept';
      }
    }
    const payment = readStaged(row);
    if (!payment.ok) return payment.refusal.map((fault) => `${fault.field}: ${fault.message}`).join('; ');
    return { ...row, payment_date: localTime(payment.value.paymentDate, business.timeZone) };
  };
}

async function stage(db: Database, rows: readonly StagedRow[]): Promise<void> {
  await db.query(
    `insert into public.payment_staging (${columns.join(', ')})
     select * from unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::timestamp[], $6::text[], $7::text[]::jsonb[], $8::text[])`,
    columns.map((column) => rows.map((row) => row[column])),
  );
}
