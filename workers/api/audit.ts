// The audit trail and the security reports made of it. Whoever reads them is in the trail for it, in the same statement.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { auditing } from '../../shared/audit/auditing.ts';
import { calendarDate, parseInstant } from '../../shared/calendar-date.ts';
import type { Database } from '../../shared/database.ts';
import { isUuid } from '../../shared/id.ts';
import { type AuditPlace, readAuditEntries } from '../../shared/read/audit.ts';
import {
  columnsOf,
  isAboutKeys,
  type ReportFilter,
  type ReportName,
  readReport,
  reportNames,
} from '../../shared/read/audit-reports.ts';
import { csvLine } from '../../shared/read/csv.ts';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { askerOf } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { pageParameters } from './pages.ts';
import { route } from './route.ts';
import { auditEntry, reportLine } from './shapes/audit.ts';
import { pageOf } from './shapes/values.ts';

type C = RequestContext<ApiSettings>;

const word = (limit: number) => z.optional(z.string().check(z.minLength(1), z.maxLength(limit)));
const moment = (what: string) =>
  z.optional(
    z.string().check(
      z.refine(
        (text) => parseInstant(text, 'UTC') !== undefined,
        'expected YYYY-MM-DD or an instant with its offset',
      ),
      z.meta({ description: what }),
    ),
  );
const span = {
  from: moment('A day of the business zone, or an instant'),
  to: moment('A day, which is included, or an instant, which is not'),
};

const encode = ({ at, id }: AuditPlace): string => btoa(`${at}|${id}`);
const placePattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)\|(.+)$/;
const isNumber = (id: string) => /^\d{1,18}$/.test(id);
function decode(text: string): AuditPlace | undefined {
  try {
    const [, at, id] = placePattern.exec(atob(text)) ?? [];
    return at && id && parseInstant(at, 'UTC') && (isNumber(id) || isUuid(id)) ? { at, id } : undefined;
  } catch {
    return undefined;
  }
}
const notAPlace = 'expected the `next` of an earlier page';
const after = (isId: (id: string) => boolean) =>
  z.optional(
    z.string().check(
      z.refine((text) => isId(decode(text)?.id ?? ''), notAPlace),
      z.meta({ description: 'The `next` of an earlier page' }),
    ),
  );

const entryParameters = z.object({
  limit: pageParameters.limit,
  after: after(isNumber),
  ...span,
  actor: word(200),
  action: z.optional(
    z
      .string()
      .check(
        z.regex(/^[a-z_.]{1,100}$/, 'expected small letters, _ and .'),
        z.meta({ description: 'What the action begins with' }),
      ),
  ),
  subjectKind: word(100),
  subjectId: word(1_000),
  requestId: word(100),
  address: word(100),
  q: z.optional(
    z.string().check(
      z.maxLength(200),
      z.refine((text) => /[\p{L}\p{N}]/u.test(text), 'expected a letter or a digit'),
      z.meta({ description: 'Words that begin words of the entry' }),
    ),
  ),
});

const daysDefault = 90;
export const reportParameters = z.object({
  limit: pageParameters.limit,
  after: after((id) => id !== ''),
  ...span,
  actor: word(200),
  subject: word(1_000),
  days: z.pipe(
    z._default(
      z.string().check(
        z.refine((text) => /^\d{1,4}$/.test(text) && +text >= 1 && +text <= 3_650, 'expected 1 to 3650'),
        z.meta({ description: 'Of keys: unused for at least so many', pattern: '^[1-9][0-9]{0,2}$' }),
      ),
      String(daysDefault),
    ),
    z.transform(Number),
  ),
  format: z.optional(z.enum(['json', 'csv'], 'expected json or csv')),
});
type ReportQuery = z.output<typeof reportParameters>;

/** A day means all of it. */
function spanOf(c: C, { from, to }: { from?: string | undefined; to?: string | undefined }) {
  const { timeZone } = c.get('settings');
  const begins = (text: string) => parseInstant(text, timeZone);
  const ends = (text: string) => {
    const next = new Date(`${text}T00:00:00Z`);
    next.setUTCDate(next.getUTCDate() + 1);
    return begins(next.toISOString().slice(0, 10));
  };
  return {
    from: from === undefined ? undefined : begins(from),
    until: to === undefined ? undefined : /^\d{4}-\d\d-\d\d$/.test(to) ? ends(to) : begins(to),
  };
}

const database = (c: C): Database => openDatabase(c.get('settings').database);

/** What was asked for, of what is there. */
const given = (query: object) =>
  Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));

function reportAsked(c: C, name: ReportName, { limit, after: place, ...query }: ReportQuery, as: string) {
  const { actor, subject, days } = query;
  const filter: ReportFilter = { ...spanOf(c, query), actor, subject, days };
  const entry = {
    action: 'report.read',
    subject: { kind: 'report', id: name },
    details: given({ ...query, format: as }),
  };
  const audited = auditing(database(c), askerOf(c), entry);
  return { filter, audited, limit, place: place === undefined ? undefined : decode(place) };
}

/** The answer to a place in a report of the other kind of lines. */
export function refusedPlace(c: C, name: ReportName, { after: text }: ReportQuery): Response | undefined {
  const place = text === undefined ? undefined : decode(text);
  if (!place || isUuid(place.id) === isAboutKeys(name)) return undefined;
  return refuse(c, 'invalid_query', { errors: [{ field: 'after', code: 'invalid', message: notAPlace }] });
}

/** A page of a report, and its reader is written down. */
export async function readReportPage(c: C, name: ReportName, query: ReportQuery, as: 'json' | 'page') {
  const { filter, audited, limit, place } = reportAsked(c, name, query, as);
  const { rows, next } = await readReport(audited, name, filter, place, limit);
  return { data: rows, next: next ? encode(next) : null };
}

const csvPage = 1_000;

/** The whole report from its first line on, however long: no more than a page of it is held at a time. */
async function reportAsCsv(c: C, name: ReportName, query: ReportQuery): Promise<Response> {
  const { filter, audited, place } = reportAsked(c, name, query, 'csv');
  const columns = columnsOf(name);
  const db = database(c);
  // Before the answer begins, so that what faults is answered as such.
  let page = await readReport(audited, name, filter, place, csvPage);
  let isFirst = true;
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (!isFirst && page.next) page = await readReport(db, name, filter, page.next, csvPage);
      const lines = page.rows.map((row) => csvLine(columns.map((column) => row[column] ?? null)));
      controller.enqueue(encoder.encode((isFirst ? csvLine(columns) : '') + lines.join('')));
      isFirst = false;
      if (!page.next) controller.close();
    },
  });
  const day = calendarDate(new Date(), c.get('settings').timeZone);
  c.header('content-disposition', `attachment; filename="${name}-${day}.csv"`);
  return c.body(body, 200, { 'content-type': 'text/csv; charset=utf-8; header=present' });
}

const wantsCsv = (c: C, { format }: ReportQuery): boolean =>
  format === undefined ? /\btext\/csv\b/.test(c.req.header('accept') ?? '') : format === 'csv';

const tag = 'Audit';

export const auditRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'audit:read',
        summary: 'The audit trail, newest first',
        description: 'Reading it is an entry of its own.',
        tag,
        query: entryParameters,
        answers: { 200: pageOf(auditEntry) },
      },
      async (c) => {
        const { limit, after: place, from, to, ...filter } = c.req.valid('query');
        const entry = { action: 'audit.read', details: given({ ...filter, from, to }) };
        const db = auditing(database(c), askerOf(c), entry);
        const span = spanOf(c, { from, to });
        const { rows, next } = await readAuditEntries(
          db,
          { ...filter, ...span },
          place ? decode(place) : undefined,
          limit,
        );
        return c.json({ data: rows, next: next ? encode(next) : null });
      },
    ),
  )
  .get(
    ...route(
      '/reports/:report',
      {
        permission: 'audit:read',
        summary: 'A security report, newest first',
        description:
          'As JSON in pages; as CSV, with `Accept: text/csv` or `format=csv`, all of it. Each line has the same fields.',
        tag,
        params: z.object({ report: z.enum(reportNames) }),
        query: reportParameters,
        answers: { 200: pageOf(reportLine) },
        mediaType: ['application/json', 'text/csv'],
      },
      async (c) => {
        const name = c.req.param('report') as ReportName;
        const query = c.req.valid('query');
        const foreign = refusedPlace(c, name, query);
        if (foreign) return foreign;
        return wantsCsv(c, query)
          ? reportAsCsv(c, name, query)
          : c.json(await readReportPage(c, name, query, 'json'));
      },
    ),
  );
