// Security reports, each a list of lines made of texts: over the audit trail, and over the keys. The newest come first.

import type { Database } from '../database.ts';
import { type AuditPlace, conditions, microseconds, milliseconds } from './audit.ts';

export const reportNames = [
  'failed-sign-ins',
  'lockouts',
  'role-changes',
  'unused-keys',
  'customer-reads',
] as const;
export type ReportName = (typeof reportNames)[number];

export type ReportLine = Record<string, string | null>;

export interface ReportFilter {
  from?: Date | undefined;
  until?: Date | undefined;
  /** Who did it. */
  actor?: string | undefined;
  /** The user, the role or the customer. */
  subject?: string | undefined;
  /** Of keys: unused for at least so long. */
  days: number;
}

interface Report {
  title: string;
  about: string;
  /** A line's fields in their order, and the SQL that gives each. */
  columns: Record<string, string>;
  /** Of the entries it is about; without it, it is about keys. */
  entries?: string;
  /** Whether an entry is about the subject that the placeholder stands for. */
  isAbout?: (subject: string) => string;
}

const at = milliseconds('e.at');
const reason = `e.details ->> 'because'`;
const where = { address: 'e.address', requestId: 'e.request_id' };

export const reports: Record<ReportName, Report> = {
  'failed-sign-ins': {
    title: 'Failed sign-ins',
    about: 'Attempts to sign in that were refused, with the name that was used.',
    entries: `e.action = 'sign_in.failed'`,
    columns: { at, username: 'e.subject_id', reason, ...where },
  },
  lockouts: {
    title: 'Lockouts',
    about: 'Names that could not sign in for a while after too many failures.',
    entries: `e.action = 'sign_in.locked'`,
    columns: { at, username: 'e.subject_id', until: `e.details ->> 'until'`, reason, ...where },
  },
  'role-changes': {
    title: 'Changes of roles',
    about: 'Roles that people were given or lost, and what the roles themselves allow.',
    entries: `e.subject_kind in ('user_role', 'role', 'role_permission')`,
    columns: {
      at,
      actor: 'e.actor',
      action: 'e.action',
      subject: 'e.subject_id',
      before: 'e.before::text',
      after: 'e.after::text',
      ...where,
    },
  },
  'unused-keys': {
    title: 'Unused keys',
    about: 'Live API keys that nobody has used for long.',
    columns: {
      lastUsedAt: milliseconds('e.last_used_at'),
      prefix: 'e.prefix',
      name: 'e.name',
      scopes: `array_to_string(e.scopes, ' ')`,
      createdAt: milliseconds('e.created_at'),
      createdBy: 'e.actor',
      expiresAt: milliseconds('e.expires_at'),
    },
  },
  'customer-reads': {
    title: 'Who read whom',
    about: 'Reads of what names customers. Of a list, the customers that it showed.',
    entries: `e.subject_kind = 'customer' and e.action like '%.read'`,
    columns: {
      at,
      actor: 'e.actor',
      action: 'e.action',
      customer: `coalesce(e.subject_id,
        (select string_agg(id, ' ' order by n) from jsonb_array_elements_text(e.details -> 'ids') with ordinality as ids (id, n)))`,
      route: `e.details ->> 'route'`,
      ...where,
    },
    isAbout: (subject) => `(e.subject_id = ${subject} or jsonb_exists(e.details -> 'ids', ${subject}))`,
  },
};

/** Else it is about entries of the audit trail. */
export const isAboutKeys = (name: ReportName): boolean => reports[name].entries === undefined;

export const columnsOf = (name: ReportName): string[] => Object.keys(reports[name].columns);

export async function readReport(
  db: Database,
  name: ReportName,
  filter: ReportFilter,
  after: AuditPlace | undefined,
  limit: number,
): Promise<{ rows: ReportLine[]; next: AuditPlace | undefined }> {
  const report = reports[name];
  const { params, add, after: goOn, where: asked } = conditions();
  let from = 'audit.entries e';
  let order = 'e.at';
  if (report.entries !== undefined) {
    add(filter.from?.toISOString(), (value) => `e.at >= ${value}::timestamptz`);
    add(filter.until?.toISOString(), (value) => `e.at < ${value}::timestamptz`);
    add(filter.actor, (value) => `e.actor = ${value}`);
    add(filter.subject, (value) => report.isAbout?.(value) ?? `e.subject_id = ${value}`);
    goOn(after, 'bigint');
  } else {
    from = 'staff.api_keys e';
    order = 'coalesce(e.last_used_at, e.created_at)';
    add(filter.days, (value) => `${order} < now() - make_interval(days => ${value}::int)`);
    goOn(after, 'uuid', order);
  }
  const condition =
    report.entries ?? 'e.revoked_at is null and (e.expires_at is null or e.expires_at > now())';
  const columns = Object.values(report.columns).map((sql, i) => `${sql} as c${i}`);
  const rows = await db.query<Record<string, string | null>>(
    `select ${columns.join(', ')}, e.id::text as place_id, ${microseconds(order)} as place_at
     from ${from} ${[asked() || 'where true', condition].join(' and ')} order by ${order} desc, e.id desc limit ${limit + 1}`,
    params,
  );
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return {
    rows: rows
      .slice(0, limit)
      .map((row) => Object.fromEntries(columnsOf(name).map((column, i) => [column, row[`c${i}`] ?? null]))),
    next: last && { at: last.place_at as string, id: last.place_id as string },
  };
}
