// Every route with every role, generated from the declarations and the table of roles: whoever may is answered by the
// route itself, whoever may not is told what they would be told of something that does not exist. A new route is here
// by itself. Nothing is changed on the way: what takes a body gets none that it reads.

import { beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import type { Permission } from '../../shared/staff/permissions.ts';
import { type BuiltInRole, builtInRoles } from '../../shared/staff/roles.ts';
import { createApi } from '../../workers/api/main.ts';
import { webhookRoutes } from '../../workers/api/webhook-routes.ts';
import { createAuth } from '../../workers/auth/main.ts';
import { type Declared, declaredIn, type RouteSpec, specOf } from '../../workers/route.ts';
import { type Answer, ask, expectProblem } from './asking.ts';
import { everyPermission, playStory, type Story } from './scenario.ts';
import { unlimited, useWorld } from './world.ts';

const apps = { api: createApi(), auth: createAuth() };
const nameOf = ({ method, path }: Pick<Declared, 'method' | 'path'>) => `${method} ${path}`;
/** What the auth Worker serves under a path of the front door's own is asked there. */
const ownPaths = new Set(declaredIn(apps.api).map(nameOf));
const routes: Asked[] = [
  ...declaredIn(apps.api).map((route): Asked => ({ ...route, door: 'api' })),
  ...declaredIn(apps.auth).map(
    (route): Asked => ({ ...route, door: ownPaths.has(nameOf(route)) ? 'auth' : 'api' }),
  ),
];
const roles = Object.keys(builtInRoles) as BuiltInRole[];
/** Names of nothing, in the shapes that ids have: whatever fits a route's parameter. */
const unknown = ['00000000-0000-4000-8000-000000000000', '999999999', 'none', 'none-of-them', '000000000000'];
const isSafe = ({ method }: Declared) => method === 'GET';

type Asked = Declared & { door: 'api' | 'auth' };

const fits = ({ spec }: Declared, params: Record<string, string>) =>
  !spec.params || z.safeParse(spec.params, params).success;

/** Ids that nothing has, of the form that the route's ids have; where only some words are known, another word. */
function unknownTo(route: Declared): Record<string, string> {
  const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name as string);
  const shape = route.spec.params?.shape ?? {};
  const of = (name: string) =>
    unknown.find((id) => !shape[name] || z.safeParse(shape[name], id).success) ?? 'none';
  return Object.fromEntries(names.map((name) => [name, of(name)]));
}

/** Whether somebody with these permissions is let in; `self` are all who are somebody. */
const isAdmitted = ({ permission }: RouteSpec, held: ReadonlySet<Permission> | undefined) =>
  permission === 'open' || (held !== undefined && (permission === 'self' || held.has(permission)));

describe('a route', () => {
  const passedOn = new Set([...declaredIn(apps.auth), ...webhookRoutes].map(nameOf));

  test.each(Object.entries(apps))(
    'of the %s Worker is declared, or passed on to one that declares it',
    (_, app) => {
      // What is registered under every method looks at a request or passes it on, and answers nothing of its own.
      const registered = app.routes.filter(({ method }) => method !== 'ALL');
      const last = new Map(registered.map((route) => [nameOf(route), route]));
      expect(last.size).toBeGreaterThan(3);
      for (const [name, { handler }] of last) {
        expect(specOf(handler) !== undefined || passedOn.has(name), `${name} is not declared`).toBe(true);
      }
    },
  );

  test('that is open says why', () => {
    for (const { spec, ...route } of routes) {
      if (spec.permission === 'open') expect(spec.summary, nameOf(route)).toMatch(/(; |, )?open\b|^This/);
    }
  });
});

describe('with every route', () => {
  const world = useWorld('node', { api: unlimited, auth: unlimited });
  let story: Story;
  beforeAll(async () => {
    story = await playStory(world);
  });

  /** Things that exist, as the story has them. */
  const known = (route: Declared): Record<string, string> | undefined =>
    Object.values(story.examples[nameOf(route)] ?? {})[0]?.params ?? paramsElsewhere(route);
  const paramsElsewhere = ({ path }: Declared) =>
    Object.entries(story.examples)
      .filter(([name]) => name.endsWith(` ${path}`))
      .flatMap(([, answers]) => Object.values(answers))[0]?.params;

  async function call(route: Asked, token: string | undefined, params: Record<string, string>) {
    const path = route.path.replace(/:(\w+)/g, (_, name) => encodeURIComponent(params[name] as string));
    return ask(`${world.edge.urls[route.door]}${path}`, {
      method: route.method,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
  }

  function expectRefused(answer: Answer, who: string, route: Declared) {
    const [status, code] = who === 'nobody' ? [401, 'unauthenticated'] : [404, 'not_found'];
    expect([answer.status, answer.body?.code], `${nameOf(route)} as ${who}: ${answer.text}`).toEqual([
      status,
      code,
    ]);
    expectProblem(answer, status as number, code as string);
  }

  /** Of what exists the route itself answers; of what does not it may say that there is no such thing. */
  function expectAnswered(answer: Answer, who: string, route: Declared, reached: boolean) {
    const what = `${nameOf(route)} as ${who}: ${answer.status} ${answer.text}`;
    if (answer.status >= 500) expect(Object.keys(route.spec.answers), what).toContain(String(answer.status));
    expect(answer.body?.code, what).not.toBe('unauthenticated');
    if (reached) expect(answer.status, what).not.toBe(404);
  }

  /** A token of somebody new for what may end it. */
  const tokenFor = async (role: BuiltInRole) => (await world.newPerson([role])).accessToken;

  test.each(routes.map((route): [string, Asked] => [nameOf(route), route]))('%s', async (_, route) => {
    const { spec, path } = route;
    const permission = spec.permission as Permission;
    const callers: Array<
      [who: string, token: string | undefined, held: ReadonlySet<Permission> | undefined]
    > = [['nobody', undefined, undefined]];
    for (const role of roles) {
      const held = new Set(Object.keys(builtInRoles[role].grants) as Permission[]);
      callers.push([role, isSafe(route) ? await personOf(role) : await tokenFor(role), held]);
    }
    if (everyPermission.includes(permission)) {
      const others = everyPermission.filter((other) => other !== permission);
      callers.push(['a key with it', await keyWith([permission]), new Set([permission])]);
      callers.push(['a key with all the others', await keyWith(others), new Set(others)]);
    }
    const existing = path.includes(':') ? known(route) : {};
    const places = path.includes(':') ? [unknownTo(route), ...(existing ? [existing] : [])] : [{}];
    for (const params of places) {
      // The body is looked at before anything is looked up.
      const reached =
        !isForAll(spec) &&
        (params === existing || !path.includes(':') || (takesBody(spec) && fits(route, params)));
      for (const [who, token, held] of callers) {
        const answer = await call(route, token, params);
        if (isAdmitted(spec, held)) expectAnswered(answer, who, route, reached);
        else expectRefused(answer, who, route);
      }
    }
  });

  /** What these answer depends on more than a permission. */
  const isForAll = ({ permission }: RouteSpec) => permission === 'self' || permission === 'open';
  const takesBody = ({ body, bodyShape }: RouteSpec) => body !== undefined || bodyShape !== undefined;

  const people = new Map<BuiltInRole, Promise<string>>();
  /** One for all that is only read. */
  const personOf = (role: BuiltInRole) => {
    if (!people.has(role)) people.set(role, tokenFor(role));
    return people.get(role) as Promise<string>;
  };
  const keys = new Map<string, Promise<string>>();
  const keyWith = (scopes: readonly Permission[]) => {
    const name = scopes.join(' ');
    if (!keys.has(name)) keys.set(name, world.newKey(scopes));
    return keys.get(name) as Promise<string>;
  };
});
