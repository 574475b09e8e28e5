// The reference of everything under this address: /openapi.json for programs, /docs for people, both of the same document.
// It is put together once per isolate: this Worker's routes, what the auth Worker says of its own, and the webhooks'.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { type RequestContext, refuse, type Scope } from '../app.ts';
import { sessionCookie } from '../caller.ts';
import { components, type Examples, type OpenApi, type Paths, pathsOf } from '../openapi.ts';
import type { Declared } from '../route.ts';
import type { ApiSettings } from './env.ts';
import recorded from './examples.json' with { type: 'json' };
import { type Page, renderReference } from './reference-page.ts';
import { route } from './route.ts';
import { webhookRoutes } from './webhook-routes.ts';

const authTimeoutMs = 2_000;
const cacheControl = 'public, max-age=300';

const examples = recorded as Examples;

/** The document, of this Worker's routes and what the auth Worker says of its own. */
export function describe(own: readonly Declared[], ofAuth: Paths): OpenApi {
  const ownPaths = pathsOf([...webhookRoutes, ...own], examples);
  const paths: Paths = { ...withExamples(ofAuth), ...ownPaths };
  const operations = Object.values(paths).flatMap((path) => Object.values(path));
  const tags = [...new Set(operations.flatMap((operation) => operation.tags))].toSorted();
  return {
    openapi: '3.1.0',
    info: {
      title: 'Recoup',
      version: '1',
      summary: 'Loan servicing, payment intake and collections',
      description:
        'Amounts are decimal strings in major units beside their currency, instants are UTC. Lists are pages: `next` is the `after` of the following one. Who lacks the permission of a route is answered 404, as something that does not exist would be. A person, a key and an address may ask so often in a minute, and try passwords, codes and refresh tokens less often; beyond that 429 tells in `Retry-After` when to go on.',
    },
    servers: [{ url: '/' }],
    tags: tags.map((name) => ({ name })),
    paths,
    components: components(sessionCookie),
  };
}

/** What the auth Worker cannot know: its examples are recorded here. */
function withExamples(paths: Paths): Paths {
  for (const [key, byStatus] of Object.entries(examples)) {
    const [method = '', path = ''] = key.split(' ');
    const operation = paths[path.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
    if (!operation) continue;
    for (const [status, { params, query, body, answer }] of Object.entries(byStatus)) {
      const given: Record<string, string> = { ...params, ...query };
      for (const parameter of operation.parameters) {
        if (given[parameter.name] !== undefined) parameter.example ??= given[parameter.name];
      }
      const sent = operation.requestBody?.content['application/json'];
      if (sent && body !== undefined) sent.example ??= body;
      const answered = operation.responses[status]?.content?.['application/json'];
      if (answered && answer !== undefined) answered.example = answer;
    }
  }
  return paths;
}

/** `own` answers every route of this Worker. */
export function referenceRoutes(own: () => Declared[]) {
  let kept: { document: OpenApi; page: Page } | undefined;

  /** Undefined while the auth Worker is away. */
  async function reference(c: RequestContext<ApiSettings>) {
    if (kept) return kept;
    const request = new Request('http://auth/openapi.json', { signal: AbortSignal.timeout(authTimeoutMs) });
    const answer = await c
      .get('settings')
      .auth.fetch(request)
      .catch(() => undefined);
    if (!answer?.ok) return undefined;
    const { paths } = (await answer.json()) as { paths: Paths };
    const document = describe(own(), paths);
    kept = { document, page: await renderReference(document) };
    return kept;
  }
  const refuseAway = (c: RequestContext<ApiSettings>) =>
    refuse(c, 'unavailable', { detail: 'The auth Worker is away.', retryAfterSeconds: 5 });
  const tag = 'System';

  return new Hono<Scope<ApiSettings>>()
    .get(
      ...route(
        '/openapi.json',
        {
          permission: 'open',
          summary: 'This reference as OpenAPI 3.1; open, it tells of the program and of nobody',
          tag,
          answers: { 200: z.looseObject({ openapi: z.string(), paths: z.record(z.string(), z.unknown()) }) },
        },
        async (c) => {
          const made = await reference(c);
          return made ? c.json(made.document, 200, { 'cache-control': cacheControl }) : refuseAway(c);
        },
      ),
    )
    .get(
      ...route(
        '/docs',
        {
          permission: 'open',
          summary: 'This reference as a page; open, it tells of the program and of nobody',
          tag,
          answers: { 200: null },
          mediaType: 'text/html',
        },
        async (c) => {
          const made = await reference(c);
          if (!made) return refuseAway(c);
          return c.html(made.page.html, 200, {
            'cache-control': cacheControl,
            'content-security-policy': made.page.contentSecurityPolicy,
          });
        },
      ),
    );
}
