// A refusal on a page that a person has been led to: for browsers a sentence and a way on, for programs the problem.

import { html } from 'hono/html';
import { type RequestContext, refuse } from '../../app.ts';
import { type ProblemCode, type ProblemDetails, problems } from '../../problem.ts';
import type { AuthSettings } from '../env.ts';

export async function refuseOnPage(
  c: RequestContext<AuthSettings>,
  code: ProblemCode,
  details: ProblemDetails = {},
): Promise<Response> {
  const answer = refuse(c, code, details);
  if (!c.req.header('accept')?.includes('text/html')) return answer;
  const [status, title] = problems[code];
  const page = html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title></head>
<body>
<h1>${title}</h1>
${details.detail === undefined ? '' : html`<p>${details.detail}</p>`}
<p><a href="/api/v1/auth/oidc/login">Try again</a></p>
<p><small>Request ${c.get('requestId')}</small></p>
</body>
</html>
`;
  return new Response(String(await page), {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' },
  });
}
