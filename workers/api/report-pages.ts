// The security reports as pages for people: plain HTML that needs no script, and runs none.

import { Hono } from 'hono';
import { html } from 'hono/html';
import * as z from 'zod/mini';
import {
  columnsOf,
  type ReportLine,
  type ReportName,
  reportNames,
  reports,
} from '../../shared/read/audit-reports.ts';
import type { RequestContext, Scope } from '../app.ts';
import { readReportPage, refusedPlace, reportParameters } from './audit.ts';
import type { ApiSettings } from './env.ts';
import { route } from './route.ts';

const policy =
  "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const style = `:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 90rem; padding: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0.5rem 0; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; list-style: none; margin: 0; padding: 0; }
[aria-current] { color: inherit; font-weight: 600; text-decoration: none; }
form { align-items: end; display: flex; flex-wrap: wrap; gap: 0.75rem; margin: 1rem 0; }
label { display: grid; font-size: 0.875rem; gap: 0.25rem; }
input, button { font: inherit; padding: 0.25rem 0.5rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; min-width: 100%; }
caption { position: absolute; clip-path: inset(50%); height: 1px; overflow: hidden; width: 1px; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); padding: 0.375rem 0.75rem; text-align: start; vertical-align: top; }
td { max-width: 28rem; overflow-wrap: anywhere; }
td.short { white-space: nowrap; }
`;

const names: Record<string, string> = {
  at: 'When (UTC)',
  username: 'User name',
  reason: 'Reason',
  until: 'Until (UTC)',
  address: 'Address',
  requestId: 'Request',
  actor: 'Who',
  action: 'What',
  subject: 'Of whom or what',
  before: 'Before',
  after: 'After',
  customer: 'Customer',
  lastUsedAt: 'Last used (UTC)',
  prefix: 'Key',
  name: 'Name',
  scopes: 'Scopes',
  createdAt: 'Created (UTC)',
  createdBy: 'Created by',
  expiresAt: 'Expires (UTC)',
};

const shown = (value: string | null | undefined): string =>
  (value ?? '').replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d+Z$/, '$1 $2');
const isShort = (column: string) => /At$|^(at|until|address|prefix|actor|action)$/.test(column);

const frame = (
  title: string,
  current: ReportName | undefined,
  content: ReturnType<typeof html>,
) => html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} - Recoup</title>
<link rel="stylesheet" href="/reports/style.css">
</head>
<body>
<nav aria-label="Reports"><ul>
${reportNames.map(
  (name) =>
    html`<li><a href="/reports/${name}"${name === current ? html` aria-current="page"` : ''}>${reports[name].title}</a></li>
`,
)}</ul></nav>
<main>
<h1>${title}</h1>
${content}
</main>
</body>
</html>
`;

type Query = z.output<typeof reportParameters>;

const field = (label: string, name: string, type: string, value: string | undefined) =>
  html`<label>${label}<input type="${type}" name="${name}" value="${value ?? ''}"></label>
`;
/** The column that `subject` narrows. */
const subjectColumn = (name: ReportName) =>
  columnsOf(name).find((column) => ['username', 'subject', 'customer'].includes(column)) ?? 'subject';
const fieldsOf = (name: ReportName, { from, to, actor, subject, days }: Query) =>
  reports[name].entries === undefined
    ? field('Unused for so many days', 'days', 'number', String(days))
    : [
        field('From', 'from', 'date', from?.slice(0, 10)),
        field('To', 'to', 'date', to?.slice(0, 10)),
        'actor' in reports[name].columns ? field('Who', 'actor', 'text', actor) : '',
        field(names[subjectColumn(name)] as string, 'subject', 'text', subject),
      ];

/** The same report with these parameters. */
function linkTo(path: string, query: Query, changes: Record<string, string>): string {
  const { after: _, format: __, ...kept } = query;
  const link = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...kept, ...changes }))
    if (value !== undefined) link.set(name, String(value));
  return `${path}?${link}`;
}

function table(name: ReportName, lines: readonly ReportLine[]) {
  if (lines.length === 0) return html`<p>Nothing to report.</p>`;
  const columns = columnsOf(name);
  const cell = (line: ReportLine, column: string) =>
    html`<td${isShort(column) ? html` class="short"` : ''}>${shown(line[column])}</td>`;
  return html`<div class="table" tabindex="0" role="region" aria-label="${reports[name].title}"><table>
<caption>${reports[name].title}</caption>
<thead><tr>${columns.map((column) => html`<th scope="col">${names[column]}</th>`)}</tr></thead>
<tbody>
${lines.map(
  (line) => html`<tr>${columns.map((column) => cell(line, column))}</tr>
`,
)}</tbody>
</table></div>`;
}

const page = async (c: RequestContext<ApiSettings>, body: ReturnType<typeof html>) =>
  c.html(await body, 200, { 'content-security-policy': policy });

/** A form sends what is left empty as well. */
const orEmpty = <S extends z.ZodMiniType>(field: S) => z.union([z.literal(''), field]);
const asked = reportParameters.shape;
const pageParameters = z.object({
  ...asked,
  from: orEmpty(asked.from),
  to: orEmpty(asked.to),
  actor: orEmpty(asked.actor),
  subject: orEmpty(asked.subject),
});
const withoutEmpty = (query: z.output<typeof pageParameters>): Query => ({
  ...query,
  from: query.from || undefined,
  to: query.to || undefined,
  actor: query.actor || undefined,
  subject: query.subject || undefined,
});

const tag = 'Audit';

export const reportPages = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/style.css',
      {
        permission: 'open',
        summary: 'How the pages of the reports look; open as it says nothing',
        tag,
        answers: { 200: null },
        mediaType: 'text/css',
      },
      (c) =>
        c.body(style, 200, { 'content-type': 'text/css; charset=utf-8', 'cache-control': 'max-age=3600' }),
    ),
  )
  .get(
    ...route(
      '/',
      {
        permission: 'audit:read',
        summary: 'The security reports, as a page',
        tag,
        answers: { 200: null },
        mediaType: 'text/html',
      },
      (c) =>
        page(
          c,
          frame(
            'Security reports',
            undefined,
            html`<dl>
${reportNames.map(
  (name) => html`<dt><a href="/reports/${name}">${reports[name].title}</a></dt><dd>${reports[name].about}</dd>
`,
)}</dl>`,
          ),
        ),
    ),
  )
  .get(
    ...route(
      '/:report',
      {
        permission: 'audit:read',
        summary: 'A security report, as a page',
        tag,
        params: z.object({ report: z.enum(reportNames) }),
        query: pageParameters,
        answers: { 200: null },
        mediaType: 'text/html',
      },
      async (c) => {
        const name = c.req.param('report') as ReportName;
        const query = withoutEmpty(c.req.valid('query'));
        const foreign = refusedPlace(c, name, query);
        if (foreign) return foreign;
        const { data, next } = await readReportPage(c, name, query, 'page');
        const csv = linkTo(`/api/v1/audit/reports/${name}`, query, { format: 'csv' });
        const content = html`<p>${reports[name].about}</p>
<form method="get" action="/reports/${name}">
${fieldsOf(name, query)}<button type="submit">Show</button>
</form>
${table(name, data)}
<p>${next === null ? '' : html`<a rel="next" href="${linkTo(`/reports/${name}`, query, { after: next })}">Older</a> `}<a href="${csv}" download>All of it as CSV</a></p>`;
        return page(c, frame(reports[name].title, name, content));
      },
    ),
  );
