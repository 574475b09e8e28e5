// Whatever the tests ask a route, its answer has to be one that the route is declared with: status, media type, and
// every field of the body. So each test of each file tries the reference as well.

import { isDeepStrictEqual } from 'node:util';
import type * as z from 'zod/mini';
import { createApi } from '../../workers/api/main.ts';
import { webhookRoutes } from '../../workers/api/webhook-routes.ts';
import { createAuth } from '../../workers/auth/main.ts';
import { sparse } from '../../workers/fields.ts';
import { problemShape, problemsOf } from '../../workers/openapi.ts';
import { problems } from '../../workers/problem.ts';
import { type Declared, declaredIn } from '../../workers/route.ts';

/** Of every Worker: what the front door serves itself comes before what it passes on. */
export const described: readonly Declared[] = [
  ...declaredIn(createApi()),
  ...webhookRoutes,
  ...declaredIn(createAuth()),
];

const isNamed = (part: string) => part.startsWith(':');

/** The declared routes that a request may reach, one of each Worker at most; a word of the path is preferred. */
export function routesOf(method: string, pathname: string): Declared[] {
  const parts = pathname.split('/');
  const reached = described.filter((route) => {
    const names = route.path.split('/');
    return (
      route.method === method &&
      names.length === parts.length &&
      names.every((name, i) => (isNamed(name) ? parts[i] !== '' : name === parts[i]))
    );
  });
  const parameters = ({ path }: Declared) => path.split('/').filter(isNamed).length;
  const fewest = Math.min(...reached.map(parameters));
  return reached.filter((route) => parameters(route) === fewest);
}

interface Answered {
  status: number;
  headers: Headers;
  body: unknown;
}

/** Undefined, or in words what the declaration says nothing of. */
export function undescribed(
  route: Declared,
  { status, headers, body }: Answered,
  isSparse = false,
): string | undefined {
  const type = headers.get('content-type')?.split(';')[0]?.trim();
  if (type === 'application/problem+json') {
    const problem = problemShape.safeParse(body);
    if (!problem.success) return `is no problem: ${problem.error.message}`;
    const { code } = problem.data;
    // A word where the route has an id: of a path that is there for other methods.
    if (code === 'method_not_allowed' && status === 405) return undefined;
    if (!problemsOf(route).includes(code)) return `is not declared with the problem ${code}`;
    return problems[code][0] === status ? undefined : `answers ${code} with status ${status}`;
  }
  const { answers } = route.spec;
  const shape = answers[status as keyof typeof answers];
  // Reading again what has not changed, where nobody needs to declare it.
  if (shape === undefined) return status === 304 ? undefined : `is not declared with status ${status}`;
  const types = route.spec.mediaType === undefined ? ['application/json'] : [route.spec.mediaType].flat();
  if (shape === null && body === undefined && type === undefined) return undefined;
  if (shape === null || !/json/.test(type ?? '')) {
    return types.includes(type ?? '') ? undefined : `is not declared with ${type}`;
  }
  return misfit(isSparse ? sparse(shape, route.spec.query) : shape, body);
}

function misfit(shape: z.ZodMiniType, body: unknown): string | undefined {
  const parsed = shape.safeParse(body);
  if (!parsed.success) return `answers what is not declared: ${parsed.error.message}`;
  // Parsing leaves out what it does not know.
  return isDeepStrictEqual(parsed.data, body)
    ? undefined
    : `answers more than is declared: ${JSON.stringify(body)}`;
}

/** Throws when a declared route answers something else than it says. */
export function checkDescribed(url: string, method: string, answer: Answered): void {
  const { pathname, searchParams } = new URL(url);
  const routes = routesOf(method, pathname);
  const faults = routes.map((route) => undescribed(route, answer, searchParams.has('fields')));
  // Several Workers have one of a name: whichever was asked.
  if (faults.length > 0 && !faults.includes(undefined)) {
    throw new Error(`${method} ${routes[0]?.path} ${faults[0]}`);
  }
}
