// A refusal on a page that a person has been led to: for browsers a sentence and a way on, for programs the problem.

import { html } from 'hono/html';
import { type RequestContext, refuse } from '../../app.ts';
import { type ProblemCode, type ProblemDetails, problems } from '../../problem.ts';
import type { AuthSettings } from '../env.ts';

export const loginPath = '/api/v1/auth/oidc/login';

export async function refuseOnPage(
  c: RequestContext<AuthSettings>,
  code: ProblemCode,
  details: ProblemDetails = {},
): Promise<Response> {
  const [status, title] = problems[code];
  // By the context, which has the cookies.
  if (!c.req.header('accept')?.includes('text/html')) {
    const answer = refuse(c, code, details);
    return c.body(await answer.text(), status, Object.fromEntries(answer.headers));
  }
  if (details.retryAfterSeconds !== undefined) c.header('retry-after', String(details.retryAfterSeconds));
  return c.html(
    html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title></head>
<body>
<h1>${title}</h1>
${details.detail === undefined ? '' : html`<p>${details.detail}</p>`}
<p><a href="${loginPath}">Try again</a></p>
<p><small>Request ${c.get('requestId')}</small></p>
</body>
</html>
`,
    status,
  );
}
