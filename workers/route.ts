// A route declares what it needs and what it answers: permission, parameters, body, answers. From that one declaration it
// is authorised and validated, described in OpenAPI, typed for clients, and tried by the tests with every role.

import { zValidator } from '@hono/zod-validator';
import type { Context, Handler, MiddlewareHandler, TypedResponse } from 'hono';
import type { StatusCode } from 'hono/utils/http-status';
import type * as z from 'zod/mini';
import { parseExactJson } from '../shared/exact-json.ts';
import type { Permission } from '../shared/staff/permissions.ts';
import { faultsOf, refuse, type Scope } from './app.ts';
import { authorise, type CallerSettings } from './caller.ts';
import { jsonBody } from './json-body.ts';
import { limitAddress, limitSignIn } from './limits.ts';
import type { Problem, ProblemCode, ProblemStatus } from './problem.ts';

type ObjectSchema = z.ZodMiniObject;
/** By status; null for an answer without a JSON body. */
type Answers = Partial<Record<StatusCode, z.ZodMiniType | null>>;

export interface RouteSpec {
  /**
   * `self`: every caller, about themselves. `settled`: the same, but nobody whose password is still the one they were
   * given. `open`: nobody is asked who they are; the reason is in the summary.
   */
  permission: Permission | 'self' | 'settled' | 'open';
  /** Where the settings say so, nobody is asked after all. */
  openWhen?: ((settings: never) => boolean) | undefined;
  /** One line for the reference. */
  summary: string;
  /** What the line cannot say. */
  description?: string | undefined;
  /** Of what the path names: whatever does not match is not found. */
  params?: ObjectSchema | undefined;
  query?: ObjectSchema | undefined;
  /** Described; the handler reads them. */
  headers?: ObjectSchema | undefined;
  body?: ObjectSchema | undefined;
  /** Of the body, whose numbers keep their source text. */
  exactNumbers?: boolean | undefined;
  /** Describes a body that the handler reads itself. */
  bodyShape?: z.ZodMiniType | undefined;
  /** In words, where such a body has other limits than usual. */
  bodyLimits?: string | undefined;
  answers: Answers;
  /** Beside those that every route may answer. */
  problems?: readonly ProblemCode[] | undefined;
  /** Takes passwords, codes or refresh tokens from whoever comes: an address may try only a few in a minute. */
  takesSecrets?: true;
  /** Heading in the reference. */
  tag: string;
  /** Another media type than JSON, of the answer; of several, JSON has the schema. */
  mediaType?: string | readonly string[] | undefined;
}

type Input<Q, B, S> = {
  in: (Q extends z.ZodMiniType ? { query: Asked<z.input<Q>> } : object) &
    (B extends z.ZodMiniType ? { json: z.input<B> } : object) &
    (S extends z.ZodMiniType ? { json: z.input<S> } : object);
  out: (Q extends z.ZodMiniType ? { query: z.output<Q> } : object) &
    (B extends z.ZodMiniType ? { json: z.output<B> } : object);
};
/** As a client writes a query. */
type Asked<T> = { [K in keyof T]: T[K] extends string | undefined ? T[K] : string };

/** What a client is told that it gets: what is declared, or a problem. */
type Answered<A extends Answers> =
  | {
      [S in keyof A & StatusCode]: A[S] extends z.ZodMiniType
        ? TypedResponse<z.output<A[S]>, S, 'json'>
        : TypedResponse<object, S, 'body'>;
    }[keyof A & StatusCode]
  | TypedResponse<Problem, Exclude<ProblemStatus, keyof A>, 'json'>;

const specs = new WeakMap<object, RouteSpec>();

/** What a registered handler was declared with; undefined for other middleware. */
export const specOf = (handler: object): RouteSpec | undefined => specs.get(handler);

/** The arguments of `app.get(...)` and the like. A room takes its own from `routeFor`, which knows its settings. */
export function route<
  Path extends string,
  A extends Answers,
  Settings extends CallerSettings,
  Q extends ObjectSchema | undefined = undefined,
  B extends ObjectSchema | undefined = undefined,
  S extends z.ZodMiniType | undefined = undefined,
>(
  path: Path,
  spec: Omit<RouteSpec, 'query' | 'body' | 'bodyShape' | 'answers'> & {
    query?: Q;
    body?: B;
    bodyShape?: S;
    answers: A;
  },
  handle: (c: Context<Scope<Settings>, Path, Input<Q, B, S>>) => Response | Promise<Response>,
): [
  path: Path,
  admit: MiddlewareHandler<Scope<Settings>, Path>,
  handler: Handler<Scope<Settings>, Path, Input<Q, B, S>, Promise<Answered<A>>>,
] {
  const checks = checksOf(spec);
  const admit: MiddlewareHandler = async (c, next) => {
    const isOpen = spec.permission === 'open' || spec.openWhen?.(c.get('settings') as never) === true;
    const refusal =
      (spec.takesSecrets && (await limitSignIn(c))) ||
      (await admitCaller(c, isOpen ? 'open' : spec.permission));
    if (refusal) return refusal;
    for (const check of checks) {
      const misfit = await check(c, async () => {});
      if (misfit) return misfit;
    }
    if (spec.body) {
      const body = await jsonBody(c, spec.body, spec.exactNumbers ? parseExactJson : undefined);
      if (!body.ok) return body.refusal;
      c.req.addValidatedData('json', body.value as object);
    }
    return next();
  };
  // Of its own, so that two routes may share what they do.
  const handler = (c: Parameters<typeof handle>[0]) => handle(c);
  specs.set(handler, spec);
  return [path, admit, handler as never];
}

/** `route` for handlers with these settings. */
export const routeFor =
  <Settings extends CallerSettings>() =>
  <
    Path extends string,
    A extends Answers,
    Q extends ObjectSchema | undefined = undefined,
    B extends ObjectSchema | undefined = undefined,
    S extends z.ZodMiniType | undefined = undefined,
  >(
    ...declared: Parameters<typeof route<Path, A, Settings, Q, B, S>>
  ) =>
    route(...declared);

const admitCaller = (c: Context, permission: RouteSpec['permission']): Promise<Response | undefined> =>
  permission === 'open' ? limitAddress(c) : authorise(c, permission);

/** Each refuses what does not fit, and keeps what does for `c.req.valid`. */
function checksOf({ params, query }: Pick<RouteSpec, 'params' | 'query'>): MiddlewareHandler[] {
  const checks: MiddlewareHandler[] = [];
  if (params) {
    checks.push(zValidator('param', params, ({ success }, c) => (success ? undefined : c.notFound())));
  }
  if (query) {
    checks.push(
      zValidator('query', query, (checked, c) =>
        checked.success ? undefined : refuse(c, 'invalid_query', { errors: faultsOf(checked.error) }),
      ),
    );
  }
  return checks;
}

/** A route as an app has it. */
export interface Declared {
  method: string;
  path: string;
  spec: RouteSpec;
}

/** Every declared route of an app, in the order of their registration. @public */
export const declaredIn = (app: {
  routes: ReadonlyArray<{ method: string; path: string; handler: object }>;
}): Declared[] =>
  app.routes.flatMap(({ method, path, handler }) => {
    const spec = specOf(handler);
    return spec ? [{ method, path, spec }] : [];
  });
